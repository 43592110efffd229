// attentionDelta.ts: twin of shaders/train/attention_delta.wgsl: delta = o . d_o of each row.
import type { AttentionSizes } from '../../src/kernels/train/attention.ts';
import { dot, queryRows } from './trainedAttention.ts';

/** [B, Hq, T] of o and d_o [B * T, Hq, D]. */
export function attentionDelta(
  sizes: AttentionSizes,
  o: ArrayLike<number>,
  d_o: ArrayLike<number>,
): Float64Array {
  const rows = queryRows(sizes);
  const delta = new Float64Array(rows.length);
  for (const { query, figure } of rows) delta[figure] = dot(sizes.headDim, o, query, d_o, query);
  return delta;
}
