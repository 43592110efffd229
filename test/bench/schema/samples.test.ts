// samples.test.ts: a time without its samples says what its summary says, and two of them how far apart they are.
import { expect, it } from 'vitest';
import { sampleCount, timeInterval, timeRatio, type SampledTime } from '../../../bench/schema/samples.ts';
import { medianInterval, ratioInterval } from '../../../bench/schema/stats.ts';

const SAMPLES = [9, 10, 11, 12, 8, 10, 10, 9, 11];
const whole: SampledTime = { samplesNs: SAMPLES, median: 10, ci95: null };
const summary = (median: number, low: number, high: number, samples = 9): SampledTime => ({
  samplesNs: [median],
  median,
  ci95: [low, high],
  samples,
});

it('of its own samples where it has them, of the summary where not', () => {
  expect([sampleCount(whole), timeInterval(whole)]).toEqual([9, medianInterval(SAMPLES)]);
  expect([sampleCount(summary(10, 9, 12)), timeInterval(summary(10, 9, 12))]).toEqual([9, [9, 12]]);
});

it('the ratio of two times that have all samples is bootstrapped', () => {
  expect(timeRatio(whole, whole)).toEqual(ratioInterval(SAMPLES, SAMPLES));
});

it('without samples the distances add up as squares on the scale of the logarithm', () => {
  const [low, high] = timeRatio(summary(10, 8, 12.5), summary(20, 16, 25))!;
  expect(low).toBeCloseTo(2 * Math.exp(-Math.SQRT2 * Math.log(1.25)), 12);
  expect(high).toBeCloseTo(2 * Math.exp(Math.SQRT2 * Math.log(1.25)), 12);
  // One that is known exactly leaves the other's interval.
  expect(timeRatio(summary(10, 10, 10), summary(20, 16, 30))!.map((x) => Math.round(1e9 * x) / 1e9)).toEqual([
    1.6, 3,
  ]);
  const few: SampledTime = { samplesNs: [10, 11], median: 10.5, ci95: null };
  expect(timeRatio(few, summary(20, 16, 30))).toBeNull();
});
