// attentionKeys.ts: twin of shaders/train/attention_keys.wgsl: the gradients of keys and values, summed over each one's group.
import { queryRows, weightsOf, type AttentionBackward } from './trainedAttention.ts';

/** dk and dv [B * T, Hkv, D]. */
export function attentionKeys(p: AttentionBackward): { d_k: Float64Array; d_v: Float64Array } {
  const count = p.batch * p.length * p.numKvHeads * p.headDim;
  const [d_k, d_v] = [new Float64Array(count), new Float64Array(count)];
  for (const row of queryRows(p)) {
    for (const [i, { weight, gradient }] of weightsOf(p, row).entries()) {
      const at = row.keys[i]!.gradient;
      for (let d = 0; d < p.headDim; d++) {
        d_k[at + d]! += gradient * p.q[row.query + d]!;
        d_v[at + d]! += weight * p.d_o[row.query + d]!;
      }
    }
  }
  return { d_k, d_v };
}
