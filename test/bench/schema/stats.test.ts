// stats.test.ts: the statistics against values worked by hand.
import { describe, expect, test } from 'vitest';
import { normals, shuffled, uniform } from '../../../src/numbers/random.ts';
import { commonStep, median, medianInterval } from '../../../bench/schema/stats.ts';

/** How often the true median lies between two of n samples, `skipped` samples left out at each end. */
function coverage(n: number, skipped: number): number {
  const logFactorial = (m: number) =>
    Array.from({ length: m }, (_, i) => Math.log(i + 1)).reduce((a, b) => a + b, 0);
  const exactly = (k: number) =>
    Math.exp(logFactorial(n) - logFactorial(k) - logFactorial(n - k) - n * Math.LN2);
  let inside = 0;
  for (let k = skipped + 1; k <= n - 1 - skipped; k++) inside += exactly(k);
  return inside;
}

describe('median', () => {
  test('is the middle value, or the mean of the two middle ones', () => {
    expect(median([3])).toBe(3);
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 2, 9])).toBe(3);
  });

  test('leaves its argument as it was', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe('medianInterval', () => {
  test.each([1, 2, 3, 4, 5])('of %d samples is none: their range holds too little', (n) => {
    expect(medianInterval(Array.from({ length: n }, (_, i) => i))).toBeNull();
  });

  test('of six samples is their range, which holds 62 of 64', () => {
    expect(medianInterval([3, 1, 4, 6, 5, 2])).toEqual([1, 6]);
  });

  test('of 25 samples are the 8th and the 18th', () => {
    expect(medianInterval(Array.from({ length: 25 }, (_, i) => i + 1))).toEqual([8, 18]);
  });

  test('is the narrowest pair of ranks that holds 95 %, for any number of samples', () => {
    for (const n of [6, 7, 8, 9, 12, 17, 18, 41, 100, 101, 500]) {
      const [low, high] = medianInterval(Array.from({ length: n }, (_, i) => i))!;
      expect(low + high).toBe(n - 1);
      expect(coverage(n, low)).toBeGreaterThanOrEqual(0.95);
      expect(coverage(n, low + 1)).toBeLessThan(0.95);
    }
  });

  test('covers the true median in about 95 of 100 draws', () => {
    const next = uniform(3);
    let covered = 0;
    for (let draw = 0; draw < 2000; draw++) {
      const [low, high] = medianInterval(Array.from({ length: 41 }, next))!;
      if (low <= 0.5 && 0.5 <= high) covered++;
    }
    expect(covered / 2000).toBeGreaterThan(0.93);
    expect(covered / 2000).toBeLessThan(0.985);
  });
});

test('commonStep finds the step of a clock, zeros left out', () => {
  expect(commonStep([131072, 0, 65536, 196608])).toBe(65536);
  expect(commonStep([106478, 140089])).toBe(1);
  expect(commonStep([])).toBe(0);
});

describe('random numbers', () => {
  test('are the same for the same seed, and normal', () => {
    const values = normals(7, 100_000);
    expect(normals(7, 100_000)).toEqual(values);
    expect(normals(8, 4)).not.toEqual(values.slice(0, 4));
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(Math.abs(variance - 1)).toBeLessThan(0.02);
  });

  test('repeat after 1,048,573, so that long data is made fast', () => {
    const values = normals(1, 1_048_573 * 2 + 5);
    expect(values.subarray(1_048_573, 1_048_573 + 9)).toEqual(values.subarray(0, 9));
    expect(values.subarray(-5)).toEqual(values.subarray(0, 5));
  });

  test('a shuffle keeps every item', () => {
    const items = Array.from({ length: 20 }, (_, i) => i);
    const mixed = shuffled(items, uniform(1));
    expect(mixed).not.toEqual(items);
    expect(mixed.toSorted((a, b) => a - b)).toEqual(items);
  });
});
