// normRows.ts: twin of shaders/train/norm_rows.wgsl: RMSNorm or LayerNorm of rows, and what each was normalised by.

/** A norm, as its kernel has it. */
export interface NormOf {
  /** `layer` subtracts the mean, `rms` does not. */
  readonly norm: 'rms' | 'layer';
  readonly eps: number;
}

/** Mean (0 where it is not subtracted), and one over the root of variance or mean square. */
export type RowStats = readonly [mean: number, scale: number];

/** What of rows [rows, width]. */
export function rowStats(rows: readonly (readonly number[])[], { norm, eps }: NormOf): RowStats[] {
  return rows.map((row) => {
    const mean = norm === 'layer' ? row.reduce((sum, x) => sum + x, 0) / row.length : 0;
    const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
    return [mean, 1 / Math.sqrt(variance + eps)];
  });
}

/** Rows less their means, times their scales. */
export function normalisedRows(rows: readonly (readonly number[])[], stats: readonly RowStats[]): number[][] {
  return rows.map((row, r) => row.map((x) => (x - stats[r]![0]) * stats[r]![1]));
}

/** Normalised rows times gains, plus a bias. */
export function normRows(
  rows: readonly (readonly number[])[],
  gains: ArrayLike<number>,
  bias: ArrayLike<number> | undefined,
  form: NormOf,
): number[][] {
  const normalised = normalisedRows(rows, rowStats(rows, form));
  return normalised.map((row) => row.map((x, i) => x * gains[i]! + (bias?.[i] ?? 0)));
}
