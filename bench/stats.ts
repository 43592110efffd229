// stats.ts: the few lines of statistics that a table of times needs.

/** Median of at least one number. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

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
  return n < 6 ? [sorted[0]!, sorted[n - 1]!] : [sorted[low]!, sorted[Math.max(high, low)]!];
}

/** Greatest common divisor of whole numbers, zeros left out: the step of a clock that ticks in whole steps. */
export function commonStep(deltas: readonly number[]): number {
  return deltas.reduce((a, b) => gcd(a, Math.abs(b)), 0);
}

function gcd(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
