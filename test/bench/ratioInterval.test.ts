// ratioInterval.test.ts: the interval of a ratio of medians: what is known of it beforehand, and how often it holds.
import { describe, expect, test } from 'vitest';
import { normals, uniform } from '../../src/numbers/random.ts';
import { median, ratioInterval } from '../../bench/schema/stats.ts';
import { noisy, steady } from '../support/benchResult.ts';

describe('ratioInterval', () => {
  test('of samples without noise is the ratio itself', () => {
    expect(ratioInterval(steady(200), steady(250))).toEqual([1.25, 1.25]);
  });

  test('holds the ratio of the medians, and turns over with its arguments', () => {
    const [a, b] = [noisy(100), noisy(150)];
    const [low, high] = ratioInterval(a, b)!;
    expect(low).toBeLessThan(1.5);
    expect(high).toBeGreaterThan(1.5);
    const [lowBack, highBack] = ratioInterval(b, a)!;
    expect(1 / highBack).toBeCloseTo(low, 1);
    expect(1 / lowBack).toBeCloseTo(high, 1);
  });

  test('does not depend on the unit', () => {
    const [a, b] = [noisy(100), noisy(150)];
    const [low, high] = ratioInterval(a, b)!;
    const scaled = ratioInterval(
      a.map((x) => x * 1024),
      b.map((x) => x * 1024),
    )!;
    expect(scaled[0]).toBeCloseTo(low, 12);
    expect(scaled[1]).toBeCloseTo(high, 12);
  });

  test('is the same for the same samples and seed, and another for another seed', () => {
    const [a, b] = [[...normals(1, 30)].map((x) => 10 + x), [...normals(2, 30)].map((x) => 11 + x)];
    expect(ratioInterval(a, b)).toEqual(ratioInterval(a, b));
    expect(ratioInterval(a, b, 2)).not.toEqual(ratioInterval(a, b, 3));
  });

  test('of fewer than six samples in either set is none', () => {
    expect(ratioInterval([10, 20], steady(30))).toBeNull();
    expect(ratioInterval(steady(10), [10, 20, 30, 40, 50])).toBeNull();
    expect(ratioInterval([5], [5])).toBeNull();
    expect(ratioInterval(steady(1, 6), steady(2, 6))).toEqual([2, 2]);
  });

  test('grows with the noise and shrinks with the samples', () => {
    const width = ([low, high]: readonly [number, number]) => high - low;
    const some = width(ratioInterval(noisy(100, 21), noisy(100, 21))!);
    expect(width(ratioInterval(noisy(100, 201), noisy(100, 201))!)).toBeLessThan(some / 2);
    const calm = noisy(100, 21).map((x) => 100 + (x - 100) / 10);
    expect(width(ratioInterval(calm, calm)!)).toBeLessThan(some / 5);
  });

  test('leaves its arguments as they were', () => {
    const a = [6, 5, 4, 3, 2, 1];
    ratioInterval(a, a);
    expect(a).toEqual([6, 5, 4, 3, 2, 1]);
  });

  // Times have long tails; here the exponential of a normal, whose median is known.
  test('holds the true ratio in about 95 of 100 pairs of runs', () => {
    const next = uniform(11);
    let held = 0;
    const draw = (count: number, scale: number) =>
      [...normals(Math.floor(next() * 2 ** 31), count)].map((x) => scale * Math.exp(0.2 * x));
    const pairs = 200;
    for (let pair = 0; pair < pairs; pair++) {
      const [low, high] = ratioInterval(draw(25, 100), draw(25, 130))!;
      if (low <= 1.3 && 1.3 <= high) held++;
    }
    expect(held / pairs).toBeGreaterThan(0.9);
    expect(held / pairs).toBeLessThan(0.99);
    expect(median(draw(10_001, 100))).toBeCloseTo(100, -1);
  });
});
