// samples.ts: what a time tells of its samples, whether it has them all or, as out of a link, a summary of them.
import type { RowTime } from './schema.ts';
import { medianInterval, ratioInterval, type Interval } from './stats.ts';

/** The part of a time that is about its samples. */
export type SampledTime = Pick<RowTime, 'samplesNs' | 'median' | 'ci95' | 'samples'>;

/** How many samples were taken. */
export function sampleCount({ samples, samplesNs }: SampledTime): number {
  return samples ?? samplesNs.length;
}

/** 95 % interval of the median; null for fewer than six samples. */
export function timeInterval({ samples, samplesNs, ci95 }: SampledTime): Interval | null {
  return samples === undefined ? medianInterval(samplesNs) : ci95;
}

/**
 * 95 % interval of the ratio of two medians, b over a: a bootstrap where both have their samples, else from the two
 * intervals. Null where either has none.
 */
export function timeRatio(a: SampledTime, b: SampledTime): Interval | null {
  if (a.samples === undefined && b.samples === undefined) return ratioInterval(a.samplesNs, b.samplesNs);
  const [ofA, ofB] = [timeInterval(a), timeInterval(b)];
  return (
    ofA && ofB && ratioOfIntervals({ middle: a.median, interval: ofA }, { middle: b.median, interval: ofB })
  );
}

interface Estimate {
  readonly middle: number;
  readonly interval: Interval;
}

/**
 * The interval of b / a from those of a and b, which are independent: on the logarithm's scale the distances of each end
 * from its middle add up as squares (Zou and Donner 2008).
 */
function ratioOfIntervals(a: Estimate, b: Estimate): Interval {
  const ratio = b.middle / a.middle;
  const below = Math.hypot(Math.log(b.middle / b.interval[0]), Math.log(a.interval[1] / a.middle));
  const above = Math.hypot(Math.log(b.interval[1] / b.middle), Math.log(a.middle / a.interval[0]));
  return [ratio * Math.exp(-below), ratio * Math.exp(above)];
}
