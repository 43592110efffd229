// attentionQueries.ts: twin of shaders/train/attention_queries.wgsl: the gradient of the queries.
import { queryRows, weightsOf, type AttentionBackward } from './trainedAttention.ts';

/** dq [B * T, Hq, D]. */
export function attentionQueries(p: AttentionBackward): Float64Array {
  const rows = queryRows(p);
  const d_q = new Float64Array(rows.length * p.headDim);
  for (const row of rows) {
    for (const [i, { gradient }] of weightsOf(p, row).entries()) {
      for (let d = 0; d < p.headDim; d++) d_q[row.query + d]! += gradient * p.k[row.keys[i]!.stored + d]!;
    }
  }
  return d_q;
}
