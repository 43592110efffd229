// refused.test.ts: what a cache's lengths say when WebGPU refuses an append, and what the caller hears of it.
import { describe, expect, test, vi } from 'vitest';
import {
  borrowDevice,
  createDecoder,
  createKvCache,
  createStorage,
  DestroyedError,
  DeviceLostError,
  ForeignDeviceError,
  GpuError,
  type GqaError,
  NotExecutedError,
  NotFiniteError,
  readBack,
  ShapeError,
  uploadStorage,
  type GqaDevice,
} from '../../src/index.ts';
import { failure, message } from '../support/failure.ts';
import { ownDevice } from '../support/ownDevice.ts';

const ROW = 64;

/** A cache of one head with two tokens of value 1 in each layer; its own device, for errors to be provoked on. */
async function twoTokens(device: GqaDevice, layers = 1) {
  const cache = await createKvCache(device, { numKvHeads: 1, headDim: ROW, capacity: 8, layers });
  const row = (value: number) => uploadStorage(device, 'row', new Float32Array(ROW).fill(value));
  const one = row(1);
  for (let layer = 0; layer < layers; layer++) {
    for (let t = 0; t < 2; t++) await cache.append({ layer, k: one, v: one });
  }
  return { cache, row };
}

/** Calls `act` when the next commands are about to be submitted: an append among them was counted, and not yet refused. */
function atSubmit({ gpu: { queue } }: GqaDevice, act: () => void): void {
  const submit = queue.submit.bind(queue);
  vi.spyOn(queue, 'submit').mockImplementationOnce((commands) => {
    act();
    return submit(commands);
  });
}

function destroyedRow(device: GqaDevice): GPUBuffer {
  const buffer = createStorage(device, 'gone', ROW * 4);
  buffer.destroy();
  return buffer;
}

describe('append(), which submits by itself, takes its tokens back', () => {
  test('when a source was destroyed; what follows is right', async () => {
    using device = await ownDevice();
    const { cache, row } = await twoTokens(device);
    const gone = destroyedRow(device);
    const error = await failure(GpuError, () => cache.append({ k: gone, v: gone }));
    expect(error.message).toMatch(/^append: .*destroyed/s);
    expect([cache.kvLens(), cache.lengths.appends(0)]).toEqual([[2], 2]);
    await device.idle(); // told once, and by that call

    await cache.append({ k: row(1), v: row(4) });
    const decoder = await createDecoder(device, { cache, numQHeads: 1 });
    const o = createStorage(device, 'o', ROW * 4);
    const step = await decoder.bind({ q: row(0), o });
    step.run(decoder.plan({ kvLens: cache.kvLens() }));
    expect(new Float32Array(await readBack(device, o))[0]).toBeCloseTo(2, 6); // (1 + 1 + 4) / 3
  });

  test('when the cache’s own buffer was destroyed', async () => {
    using device = await ownDevice();
    const { cache, row } = await twoTokens(device);
    cache.layers[0]!.v.buffer.destroy();
    await failure(GpuError, () => cache.append({ k: row(1), v: row(1) }));
    expect(cache.kvLens()).toEqual([2]);
  });

  test.each(['owned', 'borrowed'])('when an %s device is lost', async (which) => {
    using owner = await ownDevice();
    const device = which === 'owned' ? owner : borrowDevice(owner.gpu);
    const { cache, row } = await twoTokens(device);
    const args = { k: row(1), v: row(1) };
    const appending = cache.append(args);
    owner.gpu.destroy();
    await failure(DeviceLostError, () => appending);
    expect([...cache.lengths.live(0)]).toEqual([2]);
    await failure(DeviceLostError, () => cache.append(args));
  });

  test('on a borrowed device too, whose owner does not hear of it', async () => {
    using owner = await ownDevice();
    const device = borrowDevice(owner.gpu);
    const { cache } = await twoTokens(device);
    const gone = destroyedRow(device);
    await failure(GpuError, () => cache.append({ k: gone, v: gone }));
    expect(cache.kvLens()).toEqual([2]);
    await owner.idle();
  });

  test('when others were called beside it: they are right, in the order of their calls', async () => {
    using device = await ownDevice();
    const { cache, row } = await twoTokens(device);
    const gone = destroyedRow(device);
    const results = await Promise.allSettled([
      cache.append({ k: row(5), v: row(5) }),
      cache.append({ k: gone, v: gone }),
      cache.append({ layer: 9, k: row(6), v: row(6) }),
      cache.append({ k: row(7), v: row(7) }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    expect(cache.kvLens()).toEqual([4]);
    const k = new Float32Array(await readBack(device, cache.layers[0]!.k));
    expect([0, 1, 2, 3].map((t) => k[t * ROW])).toEqual([1, 1, 5, 7]);
  });

  test('and what was recorded behind it, which would lie behind a gap', async () => {
    using device = await ownDevice();
    const { cache, row } = await twoTokens(device, 2);
    const later = await cache.bindAppend({ k: row(9), v: row(9) });
    const gone = destroyedRow(device);
    const encoder = device.gpu.createCommandEncoder();
    let behind: number[] = [];
    atSubmit(device, () => {
      later.record(encoder);
      behind = cache.kvLens();
    });
    const error = await failure(GpuError, () => cache.append({ k: gone, v: gone }));
    expect(behind).toEqual([4]);
    expect(error.message).toMatch(/; what was appended to layer 0 behind it is forgotten too$/);
    expect([cache.kvLens(0), cache.kvLens(1)]).toEqual([[2], [2]]);
  });

  test('but not what was loaded or truncated meanwhile', async () => {
    using device = await ownDevice();
    const { cache } = await twoTokens(device);
    const gone = destroyedRow(device);
    const stored = new Float32Array(8 * ROW);
    atSubmit(device, () => cache.load({ k: stored, v: stored, kvLens: [7] }));
    await failure(GpuError, () => cache.append({ k: gone, v: gone }));
    expect(cache.kvLens()).toEqual([7]);
    atSubmit(device, () => cache.truncate(1));
    await failure(GpuError, () => cache.append({ k: gone, v: gone }));
    expect(cache.kvLens()).toEqual([1]);
  });
});

describe('an append that cannot be recorded is not counted', () => {
  test.each<[string, (device: GqaDevice) => GPUCommandEncoder | GPUComputePassEncoder, RegExp]>([
    [
      'a finished encoder',
      ({ gpu }) => {
        const encoder = gpu.createCommandEncoder();
        encoder.finish();
        return encoder;
      },
      /^append: expected an open encoder or pass, got one that was finished$/,
    ],
    [
      'a pass that was ended',
      ({ gpu }) => {
        const pass = gpu.createCommandEncoder().beginComputePass();
        pass.end();
        return pass;
      },
      /^append: expected an open encoder or pass, got one that was ended$/,
    ],
    [
      'a pass of an encoder that was finished',
      ({ gpu }) => {
        const encoder = gpu.createCommandEncoder();
        const pass = encoder.beginComputePass();
        gpu.pushErrorScope('validation');
        encoder.finish();
        void gpu.popErrorScope();
        return pass;
      },
      /^append: expected an open encoder or pass, got one that was left open when its encoder was finished$/,
    ],
    [
      'an encoder with an open pass',
      ({ gpu }) => {
        const encoder = gpu.createCommandEncoder();
        encoder.beginComputePass();
        return encoder;
      },
      /^append: expected an encoder without an open pass; record into the pass, or end it first$/,
    ],
    ['nothing', () => undefined as never, /got undefined$/],
    ['the device', (device) => device as never, /got a GqaDevice$/],
    [
      'a command buffer',
      ({ gpu }) => gpu.createCommandEncoder().finish() as never,
      /^append: expected a GPUCommandEncoder or a GPUComputePassEncoder, got a GPUCommandBuffer$/,
    ],
  ])('into %s', async (_name, targetOf, expected) => {
    using device = await ownDevice();
    const { cache, row } = await twoTokens(device);
    const append = await cache.bindAppend({ k: row(3), v: row(3) });
    expect(await message(ShapeError, () => append.record(targetOf(device)))).toMatch(expected);
    expect([cache.kvLens(), cache.lengths.appends(0)]).toEqual([[2], 2]);
    await device.idle();
  });

  test('into an encoder or pass of another device', async () => {
    using device = await ownDevice();
    using other = await ownDevice();
    const { cache, row } = await twoTokens(device);
    const append = await cache.bindAppend({ k: row(3), v: row(3) });
    const encoder = other.gpu.createCommandEncoder();
    await failure(ForeignDeviceError, () => append.record(encoder));
    await failure(ForeignDeviceError, () => append.record(encoder.beginComputePass()));
    expect(cache.kvLens()).toEqual([2]);
  });

  test('when the cache was destroyed', async () => {
    using device = await ownDevice();
    const { cache, row } = await twoTokens(device);
    const append = await cache.bindAppend({ k: row(3), v: row(3) });
    cache.destroy();
    await failure(DestroyedError, () => append.record(device.gpu.createCommandEncoder()));
    expect([...cache.lengths.live(0)]).toEqual([2]);
  });
});

test('an append() that is refused while idle() waits is told by itself alone, and hides no later one', async () => {
  using device = await ownDevice();
  const { cache, row } = await twoTokens(device);
  const gone = destroyedRow(device);
  // The refusal is told late, so that idle() looks while the append is counted.
  const pop = device.gpu.popErrorScope.bind(device.gpu);
  vi.spyOn(device.gpu, 'popErrorScope').mockImplementation(async () => {
    const error = await pop();
    await new Promise((resolve) => setTimeout(resolve, 30));
    return error;
  });
  let idle: Promise<void> | undefined;
  atSubmit(device, () => {
    idle = device.idle();
  });
  await failure(GpuError, () => cache.append({ k: gone, v: gone }));
  await idle;
  const append = await cache.bindAppend({ k: row(3), v: row(3) });
  append.record(device.gpu.createCommandEncoder());
  await cache.append({ k: row(3), v: row(3) });
  await failure(NotExecutedError, () => device.idle());
});

describe('a recorded append whose submit is refused', () => {
  test('comes out of idle() as one error, which says what to do; then all is right again', async () => {
    using device = await ownDevice();
    const { cache, row } = await twoTokens(device);
    const gone = destroyedRow(device);
    const append = await cache.bindAppend({ k: gone, v: gone });
    const encoders = Array.from({ length: 5 }, () => device.gpu.createCommandEncoder());
    for (const encoder of encoders) append.record(encoder);
    for (const encoder of encoders) device.gpu.queue.submit([encoder.finish()]);
    expect([...cache.lengths.live(0)]).toEqual([7]);
    const error = await failure(GpuError, () => device.idle());
    expect(error.message).toMatch(/destroyed/);
    // Four more refusals, and what the cache has counted.
    expect(error.message).toMatch(/\nand 5 more\n {2}kv cache .* not executed: layer 0: 5; /);
    expect(error.message).toMatch(/\nAppends, forks and loads among .* cache\.truncate\(\)/);
    await device.idle();
    await device.idle();
    cache.truncate(2);
    await cache.append({ k: row(4), v: row(4) });
    const k = new Float32Array(await readBack(device, cache.layers[0]!.k));
    expect([k[ROW], k[2 * ROW]]).toEqual([1, 4]);
    expect(cache.kvLens()).toEqual([3]);
  });

  test('a load that is refused says the same', async () => {
    using device = await ownDevice();
    const cache = await createKvCache(device, { numKvHeads: 1, headDim: ROW, capacity: 8 });
    cache.layers[0]!.k.buffer.destroy();
    const stored = new Float32Array(8 * ROW);
    cache.load({ k: stored, v: stored, kvLens: [3] });
    const error = await failure(GpuError, () => device.idle());
    expect(error.message).toMatch(/\nAppends, forks and loads among .* cache\.truncate\(\)/);
  });
});

test('what idle() is asked to check comes out of it, together with the errors of the device', async () => {
  using device = await ownDevice();
  let found: readonly GqaError[] = [new NotFiniteError('3 keys are not finite')];
  const stop = device.onIdle(async () => {
    const now = found;
    found = [];
    return now;
  });
  // One finding alone keeps its class.
  expect(await message(NotFiniteError, () => device.idle())).toBe('3 keys are not finite');
  await device.idle();
  found = [new NotExecutedError('2 appends never ran')];
  device.gpu.createBuffer({ size: 4, usage: 0x8000 });
  const error = await failure(GpuError, () => device.idle());
  expect(error.message).toMatch(/usage.*\nand 1 more\n {2}2 appends never ran$/is);
  found = [new NotExecutedError('not asked')];
  stop();
  await device.idle();
});
