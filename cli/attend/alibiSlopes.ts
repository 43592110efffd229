// alibiSlopes.ts: the slopes of ALiBi's paper for a number of query heads.

/** 2^(-8 / n), and so on in equal ratios; where n is no power of two, the rest are every other one of twice as many heads. */
export function alibiSlopes(heads: number): number[] {
  const whole = 2 ** Math.floor(Math.log2(heads));
  const slopes = (count: number) => Array.from({ length: count }, (_, h) => 2 ** ((-8 * (h + 1)) / count));
  const between = slopes(2 * whole).filter((_, h) => h % 2 === 0);
  return [...slopes(whole), ...between].slice(0, heads);
}
