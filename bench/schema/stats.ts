// stats.ts: the few lines of statistics that a table of times needs.
import { uniform } from '../../src/numbers/random.ts';

/** Median of at least one number. */
export function median(values: readonly number[]): number {
  return medianOfSorted(values.toSorted((a, b) => a - b));
}

function medianOfSorted(sorted: ArrayLike<number>): number {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Two ends between which a value lies in 95 of 100 cases. */
export type Interval = readonly [low: number, high: number];

const COVERAGE = 0.95;

/** Fewest samples that have a 95 % interval of the median at all: the range of n misses it in 2 of 2^n cases. */
export const ENOUGH_SAMPLES = 6;

/**
 * 95 % confidence interval of the median from order statistics, which assume nothing about the distribution: the k-th
 * smallest and the k-th largest sample, k as large as their exact (binomial) coverage allows. Null for fewer than six.
 */
export function medianInterval(values: readonly number[]): Interval | null {
  const n = values.length;
  if (n < ENOUGH_SAMPLES) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const skipped = skippedEachSide(n);
  return [sorted[skipped]!, sorted[n - 1 - skipped]!];
}

/** The most samples that may be left out at each end: P(at most so many of n lie below the median) <= 2.5 %. */
function skippedEachSide(n: number): number {
  let term = 2 ** -n;
  let below = 0;
  for (let k = 0; ; k++) {
    below += term;
    if (below > (1 - COVERAGE) / 2) return k - 1;
    term *= (n - k) / (k + 1);
  }
}

const RESAMPLES = 2000;

/**
 * 95 % confidence interval of median(b) / median(a), two independent sets of samples, by the percentile bootstrap: both
 * are drawn anew from themselves, with replacement and as many as there are, 2000 times, and of the ratios of the medians
 * the 2.5th and the 97.5th percentile are taken. It assumes nothing about the distributions. The draws come from the
 * seed: the same samples give the same interval. Null for fewer than six samples in either set.
 */
export function ratioInterval(a: readonly number[], b: readonly number[], seed = 1): Interval | null {
  if (Math.min(a.length, b.length) < ENOUGH_SAMPLES) return null;
  const next = uniform(seed);
  const [drawnA, drawnB] = [new Float64Array(a.length), new Float64Array(b.length)];
  const ratios = new Float64Array(RESAMPLES);
  for (let i = 0; i < RESAMPLES; i++) {
    ratios[i] = redrawnMedian(b, drawnB, next) / redrawnMedian(a, drawnA, next);
  }
  const sorted = ratios.toSorted();
  const skipped = Math.floor(((1 - COVERAGE) / 2) * RESAMPLES);
  return [sorted[skipped]!, sorted[RESAMPLES - 1 - skipped]!];
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
