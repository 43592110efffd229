// expectedTime.test.ts: how the work of a group of rows is shared out, so that progress tells the truth.
import { describe, expect, test } from 'vitest';
import { GroupTime } from '../../../bench/run/expectedTime.ts';
import { rowGroups } from '../../../bench/run/rows.ts';
import { SAMPLING_MS } from '../../../bench/run/sampling.ts';

const OPTIONS = {
  model: 'test',
  heads: 32,
  kvHeads: [32, 8, 1],
  headDim: 128,
  depths: [1024],
  batches: [1],
  caches: ['cold'],
  kTypes: ['f16'],
  vTypes: ['f16'],
  kernels: ['auto'],
} as const;

function groupTime(options: object, sampling: object = {}): GroupTime {
  const [group] = rowGroups({ ...OPTIONS, ...options });
  return new GroupTime(group!, { seed: 1, check: true, ...sampling }, 2e6);
}

describe('a group of rows', () => {
  test('goes from 0 to 1, row by row and then by its samples', () => {
    const time = groupTime({});
    const shares = [
      ...[0, 1, 2, 3].map((row) => time.beforeRow(row)),
      ...[0, 0.5, 1].map((share) => time.sampled(share)),
    ];
    expect(shares[0]).toBe(0);
    expect(shares[3]).toBe(shares[4]);
    expect(shares.at(-1)).toBe(1);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    expect(new Set(shares).size).toBe(6);
  });

  test('is mostly preparation where the caches are long, and mostly samples where they are short', () => {
    expect(groupTime({ depths: [65536] }).beforeRow(3)).toBeGreaterThan(0.9);
    expect(groupTime({ depths: [256] }).beforeRow(3)).toBeLessThan(0.5);
  });

  test('takes less without a check, with fewer KV heads, and for a second kernel on the same data', () => {
    const { ms } = groupTime({});
    expect(groupTime({}, { check: false }).ms).toBeLessThan(ms);
    expect(groupTime({ kvHeads: [8, 4, 1] }).ms).toBeLessThan(ms);
    const kernels = groupTime({ kvHeads: [32], kernels: ['auto', 'plain'] });
    expect(kernels.beforeRow(1)).toBeGreaterThan(kernels.beforeRow(2) - kernels.beforeRow(1));
  });

  test('samples for as long as it may, or as many times as it is told', () => {
    const prepared = groupTime({}, { reps: 0 }).ms;
    expect(groupTime({}).ms - prepared).toBeCloseTo(SAMPLING_MS.most);
    expect(groupTime({}, { maxTimeMs: 500 }).ms - prepared).toBeCloseTo(500);
    expect(groupTime({}, { reps: 5 }).ms - prepared).toBeCloseTo(5 * 3 * 2);
  });

  test('of unequal requests counts the tokens that they have', () => {
    const long = groupTime({ requests: ['4q1s4k'] }).ms;
    expect(groupTime({ requests: ['3q1s1_1q1s4k'] }).ms).toBeLessThan(long);
  });
});
