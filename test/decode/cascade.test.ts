// cascade.test.ts: a prefix that sequences share attended to once, their own keys apart, and both merged: as in one step.
import { describe, expect, test } from 'vitest';
import {
  bindMerge,
  createDecoder,
  createKvCache,
  createStorage,
  readBack,
  ShapeError,
  uploadStorage,
  type KernelChoice,
  type KvCache,
} from '../../src/index.ts';
import { normals } from '../../src/numbers/random.ts';
import { storeProblem } from '../../src/reference/problem.ts';
import { expectClose } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';

const device = await testDevice();

// Halves of a buffer of states begin at a multiple of 256 bytes; groups of two, for shaders compile the longer the larger they are.
const [B, HQ, HKV, D, PREFIX, CAPACITY] = [4, 16, 8, 32, 75, 200];
const TYPES = { kType: 'int8', vType: 'f16' } as const;

/** Sequences of a cache of pages that fork a prefix and go on by themselves; and all rows, [B, Hkv, C, D]. */
async function forked(): Promise<{
  cache: KvCache;
  k: Float32Array<ArrayBuffer>;
  v: Float32Array<ArrayBuffer>;
}> {
  const options = { batch: B, numKvHeads: HKV, headDim: D, capacity: CAPACITY, pageSize: 16 };
  const cache = await createKvCache(device, { ...options, ...TYPES });
  const [k, v] = [new Float32Array(B * HKV * CAPACITY * D), new Float32Array(B * HKV * CAPACITY * D)];
  const append = async (counts: readonly number[], seed: number) => {
    const rows = Math.max(...counts);
    const made = [normals(seed, B * HKV * rows * D), normals(seed + 1, B * HKV * rows * D)] as const;
    const held = cache.kvLens();
    const buffers = { k: uploadStorage(device, 'k', made[0]), v: uploadStorage(device, 'v', made[1]) };
    await cache.append({ ...buffers, numTokens: rows }, { numTokens: counts });
    for (const [all, own] of [
      [k, made[0]],
      [v, made[1]],
    ] as const) {
      for (let head = 0; head < B * HKV; head++) {
        const b = Math.floor(head / HKV);
        const taken = own.subarray(head * rows * D, (head * rows + counts[b]!) * D);
        all.set(taken, (head * CAPACITY + held[b]!) * D);
      }
    }
  };
  await append([PREFIX, 0, 0, 0], 1);
  const size = HKV * CAPACITY * D;
  for (let b = 1; b < B; b++) {
    await cache.fork(0, b);
    for (const all of [k, v]) all.copyWithin(b * size, 0, size);
  }
  await append([3, 30, 64, 7], 11);
  return { cache, k, v };
}

/** Rows [B, Lq, Hq, dim] as [B, Hq, Lq, dim]. */
function byHeads(rows: Float32Array<ArrayBuffer>, qLen: number, dim: number): Float32Array<ArrayBuffer> {
  const all = new Float32Array(rows.length);
  for (let row = 0; row < B * qLen * HQ; row++) {
    const [b, i, h] = [Math.floor(row / HQ / qLen), Math.floor(row / HQ) % qLen, row % HQ];
    all.set(rows.subarray(row * dim, (row + 1) * dim), ((b * HQ + h) * qLen + i) * dim);
  }
  return all;
}

describe('a shared prefix', () => {
  test.each<[KernelChoice, number]>([
    ['auto', 1],
    ['tiles', 3],
  ])('attended to once, by %s, with %i positions of each sequence: as in one step', async (kernel, qLen) => {
    const { cache, k, v } = await forked();
    const kvLens = cache.kvLens();
    const tokens = B * qLen;
    const rows = tokens * HQ;
    const query = normals(31, rows * D); // [tokens, Hq, D]
    const q = uploadStorage(device, 'q', query);
    const states = createStorage(device, 'states', 2 * rows * D * 4);
    const sums = createStorage(device, 'sums', 2 * rows * 4);
    const half = (buffer: GPUBuffer, n: number) => {
      return { buffer, offset: (n * buffer.size) / 2, size: buffer.size / 2 };
    };
    const packed = { q: { layout: 'packed' }, o: { layout: 'packed' }, kernel } as const;
    // To the prefix all rows are positions of the first sequence.
    const prefix = await createDecoder(device, {
      cache,
      numQHeads: HQ,
      qLen: tokens,
      causal: false,
      ...packed,
    });
    const own = await createDecoder(device, { cache, numQHeads: HQ, qLen, ...packed });
    const ofPrefix = await prefix.bind({ q, o: half(states, 0), lse: half(sums, 0) });
    const ofOwn = await own.bind({ q, o: half(states, 1), lse: half(sums, 1) });
    const [o, lse] = [createStorage(device, 'o', rows * D * 4), createStorage(device, 'lse', rows * 4)];
    const args = { numStates: 2, rows, headDim: D, statesO: states, statesLse: sums, o, lse };
    const merge = await bindMerge(device, args);
    const encoder = device.gpu.createCommandEncoder();
    const first = (count: number) => [count, ...Array.from({ length: B - 1 }, () => 0)];
    ofPrefix.record(encoder, prefix.plan({ kvLens: first(PREFIX), qLens: first(tokens) }));
    ofOwn.record(encoder, own.plan({ kvLens, firstKeys: kvLens.map(() => PREFIX) }));
    merge.record(encoder);
    device.gpu.queue.submit([encoder.finish()]);

    const heads = { batch: B, numQHeads: HQ, numKvHeads: HKV, headDim: D, qLen, capacity: CAPACITY };
    const problem = storeProblem({ ...heads, ...TYPES, kvLens, q: byHeads(query, qLen, D), k, v });
    const [gotO, gotLse] = await Promise.all([readBack(device, o), readBack(device, lse)]);
    expectClose(
      problem,
      byHeads(new Float32Array(gotO), qLen, D),
      byHeads(new Float32Array(gotLse), qLen, 1),
    );
    for (const each of [prefix, own, cache]) each.destroy();
  });

  test('first keys past the length, of another number, or by the plain kernel are refused', async () => {
    const { cache } = await forked();
    const kvLens = cache.kvLens();
    using own = await createDecoder(device, { cache, numQHeads: HQ });
    const plan = (firstKeys: unknown) => () => own.plan({ kvLens, firstKeys: firstKeys as number[] });
    expect(plan([0, 0, 0, 83])).toThrow('plan: firstKeys[3]: expected a whole number from 0 to 82, got 83');
    expect(plan([0])).toThrow('plan: firstKeys: expected 4 numbers, one per sequence, got 1');
    expect(plan(3)).toThrow(ShapeError);
    using plain = await createDecoder(device, { cache, numQHeads: HQ, kernel: 'plain' });
    expect(() => plain.plan({ kvLens, firstKeys: kvLens })).toThrow(
      'plan: firstKeys: expected another kernel than plain',
    );
    cache.destroy();
  });
});
