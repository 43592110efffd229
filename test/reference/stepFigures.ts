// stepFigures.ts: twin of shaders/train/step_figures.wgsl: the mean of losses, and the root of a sum of sums of squares.

/** The mean over `counted` rows, and the norm; NaN where one of the numbers behind it is not finite. */
export function stepFigures(
  losses: readonly number[],
  counted: number,
  sums: readonly number[],
): [mean: number, norm: number] {
  return [total(losses) / counted, Math.sqrt(total(sums))];
}

function total(numbers: readonly number[]): number {
  return numbers.every(Number.isFinite) ? numbers.reduce((sum, x) => sum + x, 0) : NaN;
}
