// stats.test.ts: the statistics against values worked by hand.
import { describe, expect, test } from 'vitest';
import { normals, shuffled, uniform } from '../../bench/random.ts';
import { commonStep, median, medianInterval } from '../../bench/stats.ts';

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
  test('of fewer than six samples is their range', () => {
    expect(medianInterval([5, 1, 4])).toEqual([1, 5]);
  });

  test('of 25 samples are the 8th and the 17th or 18th: n/2 -+ 0.98 sqrt(n)', () => {
    const values = Array.from({ length: 25 }, (_, i) => i + 1);
    // 12.5 - 4.9 = 7.6 and 12.5 + 4.9 = 17.4, as ranks from 1: floor(7.6) + 1 and ceil(17.4).
    expect(medianInterval(values)).toEqual([8, 18]);
  });

  test('covers the true median in about 95 of 100 draws', () => {
    const next = uniform(3);
    let covered = 0;
    for (let draw = 0; draw < 2000; draw++) {
      const [low, high] = medianInterval(Array.from({ length: 41 }, next));
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
