// normInputs.ts: twin of shaders/train/norm_inputs.wgsl: the gradient of a norm's input.
import { normalisedRows, type RowStats } from './normRows.ts';

/** [rows, width]: what changes a loss by x, where `dY` is what changes it by the norm's output. */
export function normInputs(
  x: readonly (readonly number[])[],
  gains: ArrayLike<number>,
  dY: readonly (readonly number[])[],
  stats: readonly RowStats[],
  norm: 'rms' | 'layer',
): number[][] {
  return normalisedRows(x, stats).map((normalised, row) => {
    const wide = normalised.length;
    const gradients = dY[row]!.map((d, i) => d * gains[i]!);
    const mean = norm === 'layer' ? gradients.reduce((sum, g) => sum + g, 0) / wide : 0;
    const along = gradients.reduce((sum, g, i) => sum + g * normalised[i]!, 0) / wide;
    return gradients.map((g, i) => stats[row]![1] * (g - mean - normalised[i]! * along));
  });
}
