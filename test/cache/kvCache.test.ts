// kvCache.test.ts: lengths and contents of a cache: load, truncate, and appends that do not fit.
import { beforeAll, describe, expect, test, vi } from 'vitest';
import {
  createKvCache,
  createStorage,
  readBack,
  ShapeError,
  uploadStorage,
  type BufferRange,
  type GqaDevice,
  type KvCache,
} from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { message } from '../support/failure.ts';

let device: GqaDevice;
beforeAll(async () => {
  device = await testDevice();
});

/** Two sequences, one KV head of 64 elements, 8 slots: a buffer of 1,024 f32. */
async function twoByEight(kvLens: readonly number[], layers = 1): Promise<KvCache> {
  const cache = await createKvCache(device, { batch: 2, numKvHeads: 1, headDim: 64, capacity: 8, layers });
  for (let layer = 0; layer < layers; layer++) {
    cache.load({ layer, k: pattern(0), v: pattern(5000), kvLens });
  }
  return cache;
}

function pattern(from: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: 1024 }, (_, i) => from + i);
}

async function contents(range: BufferRange): Promise<Float32Array> {
  return new Float32Array(await readBack(device, range));
}

/** New tokens for both sequences, all elements `value`. */
function tokens(value: number, numTokens = 1) {
  const row = uploadStorage(device, 'row', new Float32Array(128 * numTokens).fill(value));
  return { k: row, v: row, numTokens };
}

describe('load', () => {
  test('stores bytes and lengths of one layer', async () => {
    const cache = await twoByEight([0, 0], 2);
    cache.load({ layer: 1, k: pattern(1), v: pattern(2), kvLens: [8, 3] });
    expect(await contents(cache.layers[1]!.k)).toEqual(pattern(1));
    expect(await contents(cache.layers[1]!.v)).toEqual(pattern(2));
    expect(await contents(cache.layers[0]!.k)).toEqual(pattern(0));
    expect([cache.kvLens(0), cache.kvLens(1)]).toEqual([
      [0, 0],
      [8, 3],
    ]);
  });

  test('takes a view that begins inside its buffer', async () => {
    const cache = await twoByEight([0, 0]);
    const wide = Float32Array.from({ length: 1030 }, (_, i) => i);
    cache.load({ k: wide.subarray(6), v: wide.subarray(0, 1024), kvLens: [1, 1] });
    expect((await contents(cache.layers[0]!.k))[0]).toBe(6);
    expect((await contents(cache.layers[0]!.v))[1023]).toBe(1023);
  });

  test.each([
    ['too few bytes of K', { k: new Float32Array(1023) }, 'load: k: expected 4096 bytes, got 4092'],
    ['too many bytes of V', { v: new Uint8Array(4097) }, 'load: v: expected 4096 bytes, got 4097'],
    ['a length for each sequence', { kvLens: [1] }, 'load: expected 2 lengths, one per sequence, got 1'],
    ['too many lengths', { kvLens: [1, 2, 3] }, 'load: expected 2 lengths, one per sequence, got 3'],
    [
      'a length over capacity',
      { kvLens: [1, 9] },
      'load: length of sequence 1: expected a whole number from 0 to 8, got 9',
    ],
    [
      'a negative length',
      { kvLens: [-1, 2] },
      'load: length of sequence 0: expected a whole number from 0 to 8, got -1',
    ],
    [
      'a fractional length',
      { kvLens: [0.5, 2] },
      'load: length of sequence 0: expected a whole number from 0 to 8, got 0.5',
    ],
    ['no such layer', { layer: 1 }, 'load: layer: expected 0, got 1'],
  ])('refuses %s and changes nothing', async (_name, wrong, expected) => {
    const cache = await twoByEight([4, 2]);
    const load = () => cache.load({ k: pattern(1), v: pattern(2), kvLens: [1, 1], ...wrong });
    expect(await message(ShapeError, load)).toBe(expected);
    expect(cache.kvLens()).toEqual([4, 2]);
    expect(await contents(cache.layers[0]!.k)).toEqual(pattern(0));
    expect(await contents(cache.layers[0]!.v)).toEqual(pattern(5000));
  });
});

describe('an append that does not fit', () => {
  test('is refused with the numbers; cache and lengths stay, nothing is recorded', async () => {
    const cache = await twoByEight([2, 7]);
    const bound = await cache.bindAppend(tokens(-1, 2));
    const encoder = device.gpu.createCommandEncoder();
    const passes = vi.spyOn(encoder, 'beginComputePass');
    const writes = vi.spyOn(device.gpu.queue, 'writeBuffer');
    try {
      expect(await message(ShapeError, () => bound.record(encoder))).toBe(
        'append: sequence 1 of layer 0 holds 7 tokens; 2 more exceed the capacity of 8',
      );
      expect(passes).not.toHaveBeenCalled();
      expect(writes).not.toHaveBeenCalled();
    } finally {
      writes.mockRestore();
    }
    device.gpu.queue.submit([encoder.finish()]);
    expect(cache.kvLens()).toEqual([2, 7]);
    expect(await contents(cache.layers[0]!.k)).toEqual(pattern(0));
    expect(await contents(cache.layers[0]!.v)).toEqual(pattern(5000));
  });

  test('leaves a pass that is under way usable', async () => {
    const cache = await twoByEight([8, 8]);
    const full = await cache.bindAppend(tokens(1));
    const encoder = device.gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    expect(await message(ShapeError, () => full.record(pass))).toContain(
      'sequence 0 of layer 0 holds 8 tokens',
    );
    cache.truncate(3);
    full.record(pass);
    pass.end();
    device.gpu.queue.submit([encoder.finish()]);
    expect(cache.kvLens()).toEqual([4, 4]);
    const k = await contents(cache.layers[0]!.k);
    expect([k[191], k[192], k[255], k[256]]).toEqual([191, 1, 1, 256]);
  });

  test('is refused by append() too', async () => {
    const cache = await twoByEight([8, 0]);
    expect(await message(ShapeError, () => cache.append(tokens(1)))).toBe(
      'append: sequence 0 of layer 0 holds 8 tokens; 1 more exceed the capacity of 8',
    );
    expect(cache.kvLens()).toEqual([8, 0]);
  });

  test('names the layer', async () => {
    const cache = await twoByEight([8, 8], 2);
    expect(await message(ShapeError, () => cache.append({ ...tokens(1), layer: 1 }))).toContain('of layer 1');
  });
});

describe('bindAppend refuses', () => {
  test.each([
    ['a k of another size', { k: 512 + 4 }, 'append: k: expected 512 bytes, got 516'],
    ['a v of another size', { v: 256 }, 'append: v: expected 512 bytes, got 256'],
    ['more tokens than bytes', { numTokens: 2 }, 'append: k: expected 1024 bytes, got 512'],
    ['no tokens', { numTokens: 0 }, 'append: numTokens: expected a whole number from 1 to 8, got 0'],
    ['half a token', { numTokens: 1.5 }, 'append: numTokens: expected a whole number from 1 to 8, got 1.5'],
    ['more than capacity', { numTokens: 9 }, 'append: numTokens: expected a whole number from 1 to 8, got 9'],
    ['a layer too many', { layer: 1 }, 'append: layer: expected 0, got 1'],
    ['a negative layer', { layer: -1 }, 'append: layer: expected 0, got -1'],
  ])('%s', async (_name, { k = 512, v = 512, ...rest }: Record<string, number>, expected) => {
    const cache = await twoByEight([0, 0]);
    const buffers = { k: createStorage(device, 'k', k), v: createStorage(device, 'v', v) };
    expect(await message(ShapeError, () => cache.bindAppend({ ...buffers, ...rest }))).toBe(expected);
    expect(cache.kvLens()).toEqual([0, 0]);
  });
});

describe('truncate', () => {
  test('one length for all, or one for each; equal is allowed', async () => {
    const cache = await twoByEight([5, 8], 2);
    cache.truncate([5, 8]);
    expect(cache.kvLens(1)).toEqual([5, 8]);
    cache.truncate(4);
    expect([cache.kvLens(0), cache.kvLens(1)]).toEqual([
      [4, 4],
      [4, 4],
    ]);
    cache.truncate([0, 1]);
    expect(cache.kvLens(0)).toEqual([0, 1]);
  });

  test('the next append overwrites from there and nothing before', async () => {
    const cache = await twoByEight([6, 6]);
    cache.truncate([2, 5]);
    await cache.append(tokens(-7));
    const want = pattern(0);
    want.fill(-7, 2 * 64, 3 * 64); // slot 2 of sequence 0
    want.fill(-7, 512 + 5 * 64, 512 + 6 * 64); // slot 5 of sequence 1
    expect(await contents(cache.layers[0]!.k)).toEqual(want);
    expect(cache.kvLens()).toEqual([3, 6]);
  });

  test.each([
    ['longer than held', [3, 7], 'truncate: sequence 1 of layer 0 holds 6 tokens, cannot keep 7'],
    ['longer than held, as one number', 4, 'truncate: sequence 0 of layer 0 holds 3 tokens, cannot keep 4'],
    ['negative', -1, 'truncate: length of sequence 0: expected a whole number from 0 to 8, got -1'],
    ['fractional', [3, 0.5], 'truncate: length of sequence 1: expected a whole number from 0 to 8, got 0.5'],
    ['over capacity', [3, 9], 'truncate: length of sequence 1: expected a whole number from 0 to 8, got 9'],
    ['one length too few', [1], 'truncate: expected 2 lengths, one per sequence, got 1'],
  ])('refuses %s', async (_name, kvLens, expected) => {
    const cache = await twoByEight([3, 6]);
    expect(await message(ShapeError, () => cache.truncate(kvLens))).toBe(expected);
    expect(cache.kvLens()).toEqual([3, 6]);
  });

  test('changes no layer when one of them is too short', async () => {
    const cache = await twoByEight([5, 5], 2);
    cache.load({ layer: 1, k: pattern(0), v: pattern(0), kvLens: [5, 2] });
    expect(await message(ShapeError, () => cache.truncate(3))).toBe(
      'truncate: sequence 1 of layer 1 holds 2 tokens, cannot keep 3',
    );
    expect([cache.kvLens(0), cache.kvLens(1)]).toEqual([
      [5, 5],
      [5, 2],
    ]);
  });
});

test('lengths given out stay what they were', async () => {
  const cache = await twoByEight([1, 2]);
  const before = cache.kvLens();
  await cache.append(tokens(0));
  expect(before).toEqual([1, 2]);
});

test('kvLens refuses a layer the cache does not have', async () => {
  const cache = await twoByEight([1, 2]);
  const expected = 'kvLens: layer: expected 0, got 1';
  expect(await message(ShapeError, () => cache.kvLens(1))).toBe(expected);
});
