// ropeErrors.test.ts: what an append cannot turn or normalise rows by is said, and the cache stays as it was.
import { afterAll, describe, expect, test } from 'vitest';
import {
  createKvCache,
  createRope,
  createStorage,
  DestroyedError,
  ForeignDeviceError,
  ShapeError,
  type AppendArgs,
  type RopeOptions,
} from '../../src/index.ts';
import { failure } from '../support/failure.ts';
import { testDevice } from '../support/device.ts';
import { ownDevice } from '../support/ownDevice.ts';

const D = 64;
const device = await testDevice();
const cache = await createKvCache(device, { numKvHeads: 2, headDim: D, capacity: 8 });
const row = createStorage(device, 'row', 2 * D * 4);
const q = createStorage(device, 'q', 4 * D * 4);
const rope = await createRope(device, { headDim: D, positions: 8 });
const weights = new Float32Array(D).fill(1);
afterAll(() => {
  cache.destroy();
  rope.destroy();
});

const refusal = (more: Partial<AppendArgs>) => cache.append({ k: row, v: row, ...more });

describe('an append is refused, and nothing is counted', () => {
  test.each<[string, () => Partial<AppendArgs>]>([
    ['append: q: expected a rope or a qkNorm for it, got neither', () => ({ q, numQHeads: 4 })],
    ['append: q: expected a buffer, as there is numQHeads, got none', () => ({ numQHeads: 4, rope })],
    ['append: numQHeads: expected a whole number from 1 to 1024, got undefined', () => ({ q, rope })],
    [
      "append: numQHeads (3) must be a multiple of the layer's KV heads (2)",
      () => ({ q, numQHeads: 3, rope }),
    ],
    ['append: q: expected 512 bytes, got 1024', () => ({ q, numQHeads: 2, rope })],
    ['append: q: expected a buffer of its own, got the one of k', () => ({ q: row, numQHeads: 2, rope })],
    [
      'append: rope: expected a Rope, got an object; createRope makes one',
      () => ({ rope: {} as typeof rope }),
    ],
    [
      'append: qkNorm: expected an object of options, got an array of 64',
      () => ({ qkNorm: [...weights] as never }),
    ],
    ['append: qkNorm: k: expected 64 numbers, got 63', () => ({ qkNorm: { k: weights.subarray(1) } })],
    ['append: qkNorm: k: expected 64 numbers, got undefined', () => ({ qkNorm: {} as never })],
    [
      'append: qkNorm: k[3]: expected a finite number, got NaN',
      () => ({ qkNorm: { k: weights.map((x, d) => (d === 3 ? NaN : x)) } }),
    ],
    [
      'append: qkNorm: k[0]: expected a finite number, got Infinity',
      () => ({ qkNorm: { k: Array.from(weights, () => 1e39) } }),
    ],
    [
      'append: qkNorm: eps: expected a number from 1e-12 to 1, got 0',
      () => ({ qkNorm: { k: weights, eps: 0 } }),
    ],
    [
      'append: qkNorm: q: expected none, as the append has no queries, got a Float32Array',
      () => ({ qkNorm: { k: weights, q: weights } }),
    ],
    [
      'append: qkNorm: q: expected weights, as the append has queries, got undefined',
      () => ({ q, numQHeads: 4, qkNorm: { k: weights } }),
    ],
  ])('%s', async (message, more) => {
    const error = await failure(ShapeError, () => refusal(more()));
    expect(error.message).toContain(message);
    expect(cache.kvLens()).toEqual([0]);
  });

  test('for a rope of other rows, of fewer positions, and for one that is gone', async () => {
    using wide = await createRope(device, { headDim: 128, positions: 8 });
    using short = await createRope(device, { headDim: D, positions: 7 });
    const errors = [
      await failure(ShapeError, () => refusal({ rope: wide })),
      await failure(ShapeError, () => refusal({ rope: short })),
    ];
    short.destroy();
    expect(errors.map(({ message }) => message)).toEqual([
      'append: rope: expected one for a head dim of 64, got one for 128',
      'append: rope: expected at least 8 positions, got 7',
    ]);
    const gone = await createRope(device, { headDim: D, positions: 8 });
    gone.destroy();
    await failure(DestroyedError, () => refusal({ rope: gone }));
    expect(cache.kvLens()).toEqual([0]);
  });

  test('for a rope of another device', async () => {
    using other = await ownDevice();
    const foreign = await createRope(other, { headDim: D, positions: 8 });
    const error = await failure(ForeignDeviceError, () => refusal({ rope: foreign }));
    expect(error.message).toBe("append: rope: expected one of the cache's device, got one of another");
    expect(cache.kvLens()).toEqual([0]);
  });
});

describe('a rope is not made', () => {
  test.each<[string, object]>([
    ['rope: headDim: expected a multiple of 8 from 8 to 512, got 60', { headDim: 60 }],
    ['rope: positions: expected a whole number from 1 to 16777216, got 0', { positions: 0 }],
    ['rope: positions: expected a whole number from 1 to 16777216, got undefined', { positions: undefined }],
    ['rope: rotaryDim: expected an even number from 2 to the head dim of 64, got 65', { rotaryDim: 65 }],
    ['rope: there is no option length', { length: 5 }],
  ])('%s', async (message, more) => {
    const options = { headDim: D, positions: 8, ...more } as RopeOptions;
    const error = await failure(ShapeError, () => createRope(device, options));
    expect(error.message).toContain(message);
  });
});
