// normGains.ts: twin of shaders/train/norm_gains.wgsl: the gradients of a norm's gains, over each part of the rows.
import { columnSums } from './columnSums.ts';
import { normalisedRows, type RowStats } from './normRows.ts';

/** [parts, width]. */
export function normGains(
  x: readonly (readonly number[])[],
  dY: readonly (readonly number[])[],
  stats: readonly RowStats[],
  parts: number,
): number[][] {
  const products = normalisedRows(x, stats).map((row, r) => row.map((n, i) => n * dY[r]![i]!));
  return columnSums(products, parts);
}
