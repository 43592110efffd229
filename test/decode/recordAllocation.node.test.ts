// recordAllocation.node.test.ts: recording a step or an append of a known plan makes no garbage, whatever the batch.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { borrowDevice, createDecoder, createKvCache, createStorage } from '../../src/index.ts';
import { testDevice } from '../support/device.ts';

// Borrowed, since that lets the pass below through: it is not one of the device's.
const device = borrowDevice((await testDevice()).gpu);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** A pass that keeps nothing: what the WebGPU implementation allocates is not ours. */
const pass = {
  setPipeline() {},
  setBindGroup() {},
  dispatchWorkgroups() {},
} as unknown as GPUComputePassEncoder;

const TIMES = 20_000;
const ROUNDS = 20;

// An object of 16 bytes in each call would be more than twice this.
const NOISE = 8 * TIMES;

/**
 * Bytes that the heap grows by over so many calls: the least of several rounds, which end where one stays below the noise.
 * What the calls allocate they allocate in every round; what the runtime does beside them, and the boxed numbers of code
 * that a busy machine has not compiled yet, come to an end.
 */
function growth(act: () => void): number {
  let least = Infinity;
  for (let round = 0; round < ROUNDS && least >= NOISE; round++) {
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < TIMES; i++) act();
    least = Math.min(least, process.memoryUsage().heapUsed - before);
  }
  return least;
}

describe('recording makes no garbage', () => {
  test.each([1, 64])('a step of %i sequences, split and merged', async (batch) => {
    using cache = await createKvCache(device, { batch, numKvHeads: 1, headDim: 64, capacity: 512 });
    const stored = new Uint8Array(cache.layout.kBytes);
    cache.load({ k: stored, v: stored, kvLens: Array.from({ length: batch }, () => 512) });
    using decoder = await createDecoder(device, { cache, numQHeads: 2, fixedSplits: true });
    const q = createStorage(device, 'q', batch * 2 * 64 * 4);
    const o = createStorage(device, 'o', batch * 2 * 64 * 4);
    const step = await decoder.bind({ q, o });
    const plan = decoder.plan({ kvLens: cache.kvLens(), numSplits: 4 });
    expect(plan.merges).toBe(true);
    expect(growth(() => step.record(pass, plan))).toBeLessThan(NOISE);
    for (const buffer of [q, o]) buffer.destroy();
  });

  test.each([{}, { pageSize: 256 }])('an append, at another length each time, %o', async (pages) => {
    const capacity = ROUNDS * TIMES;
    const options = { numKvHeads: 1, headDim: 64, capacity, kType: 'int4', ...pages } as const;
    using cache = await createKvCache(device, options);
    const k = createStorage(device, 'k', 64 * 4);
    const v = createStorage(device, 'v', 64 * 4);
    const append = await cache.bindAppend({ k, v });
    expect(growth(() => append.record(pass))).toBeLessThan(NOISE);
    for (const buffer of [k, v]) buffer.destroy();
  });

  test('the measurement sees a single small object', () => {
    const kept: object[] = [{}];
    expect(growth(() => (kept[0] = { x: kept.length }))).toBeGreaterThan(NOISE);
  });
});
