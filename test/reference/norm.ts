// norm.ts: twin of shaders/model/norm.wgsl: RMSNorm of rows, which is set or added.

/** Rows [rows, width]: x / sqrt(mean(x^2) + eps) * gains, behind `base` where it is added. */
export function norm(
  rows: readonly (readonly number[])[],
  gains: ArrayLike<number>,
  eps: number,
  base: (row: number, i: number) => number = () => 0,
): number[][] {
  return rows.map((row, r) => {
    const meanSquare = row.map((x) => x * x).reduce((sum, x) => sum + x, 0) / row.length;
    return row.map((x, i) => base(r, i) + (x / Math.sqrt(meanSquare + eps)) * gains[i]!);
  });
}
