// squareSums.ts: twin of shaders/train/square_sums.wgsl: sums of squares of parts of a list, each a contiguous share in whole vec4s.

/** Where each part's share begins and ends. */
export function squareShares(count: number, parts: number): [first: number, end: number][] {
  const share = 4 * Math.ceil(Math.ceil(count / 4) / parts);
  return Array.from({ length: parts }, (_, part) => [
    Math.min(part * share, count),
    Math.min((part + 1) * share, count),
  ]);
}

/** [parts]; NaN where a gradient is not finite. */
export function squareSums(gradients: readonly number[], parts: number): number[] {
  return squareShares(gradients.length, parts).map(([first, end]) => {
    const share = gradients.slice(first, end);
    return share.every(Number.isFinite) ? share.reduce((sum, x) => sum + x * x, 0) : NaN;
  });
}
