// stats.ts: the few lines of statistics that a table of times needs.
import { uniform } from './random.ts';

/** Median of at least one number. */
export function median(values: readonly number[]): number {
  return medianOfSorted(values.toSorted((a, b) => a - b));
}

function medianOfSorted(sorted: ArrayLike<number>): number {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Fewest samples whose range holds the true median in 95 of 100 cases: outside it lie 2 of 2^n. */
export const ENOUGH_SAMPLES = 6;

/**
 * 95 % confidence interval of the median from order statistics: the binomial ranks n/2 -+ 1.96 sqrt(n)/2, which
 * assume nothing about the distribution. Fewer than six samples give the whole range.
 */
export function medianInterval(values: readonly number[]): [number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  const n = sorted.length;
  const half = (1.96 * Math.sqrt(n)) / 2;
  const low = Math.max(0, Math.floor(n / 2 - half));
  const high = Math.min(n - 1, Math.ceil(n / 2 + half) - 1);
  return n < ENOUGH_SAMPLES ? [sorted[0]!, sorted[n - 1]!] : [sorted[low]!, sorted[Math.max(high, low)]!];
}

const RESAMPLES = 2000;

/**
 * 95 % confidence interval of median(b) / median(a), two independent sets of samples, by the percentile bootstrap: both
 * are drawn anew from themselves, with replacement and as many as there are, 2000 times, and of the ratios of the medians
 * the 2.5th and the 97.5th percentile are taken. It assumes nothing about the distributions. The draws come from the
 * seed: the same samples give the same interval. Fewer than six samples in either set give the widest ratios there are.
 */
export function ratioInterval(a: readonly number[], b: readonly number[], seed = 1): [number, number] {
  if (Math.min(a.length, b.length) < ENOUGH_SAMPLES) {
    return [Math.min(...b) / Math.max(...a), Math.max(...b) / Math.min(...a)];
  }
  const next = uniform(seed);
  const [drawnA, drawnB] = [new Float64Array(a.length), new Float64Array(b.length)];
  const ratios = new Float64Array(RESAMPLES);
  for (let i = 0; i < RESAMPLES; i++) {
    ratios[i] = redrawnMedian(b, drawnB, next) / redrawnMedian(a, drawnA, next);
  }
  const sorted = ratios.toSorted();
  return [sorted[Math.floor(0.025 * RESAMPLES)]!, sorted[Math.ceil(0.975 * RESAMPLES) - 1]!];
}

/** The median of as many values drawn with replacement, in memory that is used again. */
function redrawnMedian(values: readonly number[], drawn: Float64Array, next: () => number): number {
  for (let i = 0; i < drawn.length; i++) drawn[i] = values[Math.floor(next() * values.length)]!;
  return medianOfSorted(drawn.toSorted());
}

/** Greatest common divisor of whole numbers, zeros left out: the step of a clock that ticks in whole steps. */
export function commonStep(deltas: readonly number[]): number {
  return deltas.reduce((a, b) => gcd(a, Math.abs(b)), 0);
}

function gcd(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
