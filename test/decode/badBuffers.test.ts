// badBuffers.test.ts: buffers and plans that a step refuses: of another size, place or device, too long, destroyed.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createDecoder,
  createKvCache,
  createStorage,
  DestroyedError,
  ForeignDeviceError,
  ShapeError,
  type Decoder,
  type GqaDevice,
  type KvCache,
} from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { message } from '../support/failure.ts';
import { ownDevice } from '../support/ownDevice.ts';

// Two sequences of up to 100 tokens, 2 layers, 8 query heads: q and o have 2 * 8 * 64 * 4 = 4,096 bytes, lse 64.
let device: GqaDevice;
let cache: KvCache;
let decoder: Decoder;
const Q_BYTES = 4096;

beforeAll(async () => {
  device = await testDevice();
  cache = await createKvCache(device, { batch: 2, numKvHeads: 2, headDim: 64, capacity: 100, layers: 2 });
  const stored = new Float32Array(cache.layout.kBytes / 4);
  cache.load({ layer: 0, k: stored, v: stored, kvLens: [50, 20] });
  cache.load({ layer: 1, k: stored, v: stored, kvLens: [50, 10] });
  decoder = await createDecoder(device, { cache, numQHeads: 8 });
});
afterAll(() => {
  decoder.destroy();
  cache.destroy();
});

describe('the buffers of a step', () => {
  const buffers = (sizes: Partial<Record<'q' | 'o' | 'lse', number>> = {}, on = device) => ({
    q: createStorage(on, 'q', sizes.q ?? Q_BYTES),
    o: createStorage(on, 'o', sizes.o ?? Q_BYTES),
    lse: createStorage(on, 'lse', sizes.lse ?? 64),
  });

  test.each([
    [{ q: 2048 }, 'bind: q: expected 4096 bytes, got 2048'],
    [{ q: 4100 }, 'bind: q: expected 4096 bytes, got 4100'],
    [{ o: 8192 }, 'bind: o: expected 4096 bytes, got 8192'],
    [{ lse: 60 }, 'bind: lse: expected 64 bytes, got 60'],
  ])('of another size: %o', async (sizes, expected) => {
    expect(await message(ShapeError, () => decoder.bind(buffers(sizes)))).toBe(expected);
  });

  test.each([
    [{ offset: 128 }, 'bind: q: expected an offset that is a multiple of 256, got 128'],
    [{ offset: 4096 }, 'bind: q: expected 8192 bytes in the buffer, it has 8000'],
    [{ offset: 0, size: 4092 }, 'bind: q: expected 4096 bytes, got 4092'],
    [{ offset: -256 }, 'bind: q: expected an offset'],
    [{ offset: NaN }, 'bind: q: expected an offset'],
  ])('a range that does not fit: %o', async (range, expected) => {
    const q = { buffer: createStorage(device, 'big', 8000), ...range };
    expect(await message(ShapeError, () => decoder.bind({ ...buffers(), q }))).toContain(expected);
  });

  test('without the usage STORAGE', async () => {
    const q = device.gpu.createBuffer({ size: Q_BYTES, usage: 8 });
    expect(await message(ShapeError, () => decoder.bind({ ...buffers(), q }))).toBe(
      'bind: q: expected a buffer with usage STORAGE, got usage 8',
    );
  });

  test('for a layer that is not there', async () => {
    const step = (layer: number) => () => decoder.bind({ layer, ...buffers() });
    expect(await message(ShapeError, step(2))).toBe(
      'bind: layer: expected a whole number from 0 to 1, got 2',
    );
    expect(await message(ShapeError, step(0.5))).toBe(
      'bind: layer: expected a whole number from 0 to 1, got 0.5',
    );
  });

  test('one written and read at once: WebGPU forbids it even for parts that do not touch', async () => {
    const both = createStorage(device, 'both', 2 * Q_BYTES);
    const args = { q: { buffer: both, offset: 0 }, o: { buffer: both, offset: Q_BYTES } };
    expect(await message(ShapeError, () => decoder.bind(args))).toMatch(/^bind: o: .*q/);
  });

  test.each(['q', 'o', 'lse'] as const)('%s of another device', async (name) => {
    using other = await ownDevice();
    const args = { ...buffers(), [name]: buffers({}, other)[name] };
    const text = await message(ForeignDeviceError, () => decoder.bind(args));
    expect(text).toMatch(new RegExp(`^bind: expected buffers of this device: .*"${name}"`));
  });

  test('k and v of another device, for an append', async () => {
    using other = await ownDevice();
    const [k, v] = [createStorage(device, 'k', 1024), createStorage(device, 'v', 1024)];
    for (const args of [
      { k: createStorage(other, 'k', 1024), v },
      { k, v: createStorage(other, 'v', 1024) },
    ]) {
      const text = await message(ForeignDeviceError, () => cache.bindAppend(args));
      expect(text).toMatch(/^append: expected buffers of this device: /);
    }
    expect(cache.kvLens()).toEqual([50, 20]);
  });

  test('a refusal leaves no error scope open: later errors still come out', async () => {
    using own = await ownDevice();
    const small = await createKvCache(own, { numKvHeads: 1, headDim: 64, capacity: 4 });
    const k = { buffer: createStorage(own, 'k', 256), offset: -256 };
    await expect(small.bindAppend({ k, v: k })).rejects.toThrow();
    expect(await own.gpu.popErrorScope().catch(() => 'none open')).toBe('none open');
  });
});

describe('a plan that does not fit the step', () => {
  const bound = (layer = 0) =>
    decoder.bind({
      layer,
      q: createStorage(device, 'q', Q_BYTES),
      o: createStorage(device, 'o', Q_BYTES),
    });

  /** A plan that layer 0 can serve and layer 1, which holds 10 tokens of sequence 1, cannot. */
  async function tooLong(): Promise<string> {
    const plan = decoder.plan({ kvLens: [50, 20] });
    const encoder = device.gpu.createCommandEncoder();
    (await bound()).record(encoder, plan);
    const second = await bound(1);
    return message(ShapeError, () => second.record(encoder, plan));
  }

  test('longer than what the layer holds', async () => {
    expect(await tooLong()).toMatch(/layer 1.* 10\b.* 20$/);
  });

  test('longer than what the layer holds: says which sequence', async () => {
    expect(await tooLong()).toContain('sequence 1');
  });

  test('made by another decoder', async () => {
    const twin = await createDecoder(device, { cache, numQHeads: 8 });
    const step = await bound();
    expect(await message(ShapeError, () => step.run(twin.plan({ kvLens: [1, 1] })))).toBe(
      'record: the plan was made by another decoder',
    );
    twin.destroy();
  });

  test('lengths over capacity', async () => {
    expect(await message(ShapeError, () => decoder.plan({ kvLens: [101, 0] }))).toBe(
      'plan: length of sequence 0: expected a whole number from 0 to 100, got 101',
    );
  });
});

describe('after destroy', () => {
  test('a decoder throws, and leaves the cache and the caller’s buffers alone', async () => {
    const own = await createDecoder(device, { cache, numQHeads: 8 });
    const [q, o] = [createStorage(device, 'q', Q_BYTES), createStorage(device, 'o', Q_BYTES)];
    const step = await own.bind({ q, o });
    const plan = own.plan({ kvLens: [50, 10] });
    own.destroy();
    own.destroy();
    own[Symbol.dispose]();
    const encoder = device.gpu.createCommandEncoder();
    for (const act of [
      () => own.bind({ q, o }),
      () => step.record(encoder, plan),
      () => step.run(plan),
      () => own.plan({ kvLens: [1, 1] }),
      () => own.assertUsable(),
    ]) {
      expect(await message(DestroyedError, act)).toBe(
        'the decoder was destroyed and cannot be used any more',
      );
    }
    const next = await decoder.bind({ q, o });
    next.run(decoder.plan({ kvLens: [50, 10] }));
    await device.idle();
  });

  test('a step of a destroyed cache throws', async () => {
    const own = await createKvCache(device, { numKvHeads: 2, headDim: 64, capacity: 4 });
    const short = await createDecoder(device, { cache: own, numQHeads: 8 });
    const step = await short.bind({
      q: createStorage(device, 'q', 2048),
      o: createStorage(device, 'o', 2048),
    });
    const plan = short.plan({ kvLens: [0] });
    own.destroy();
    expect(await message(DestroyedError, () => step.run(plan))).toContain('the kv cache');
    short.destroy();
  });
});
