// trainedAttention.ts: causal grouped-query attention as training has it, in float64: its problem, its forward pass, and where things lie.
import type { AttentionSizes } from '../../src/kernels/train/attention.ts';

/** What the forward pass reads: q [B * T, Hq, D], k and v [B, Hkv, C, D]. */
export interface TrainedAttention extends AttentionSizes {
  readonly q: ArrayLike<number>;
  readonly k: ArrayLike<number>;
  readonly v: ArrayLike<number>;
}

/** What the backward pass reads besides: d_o [B * T, Hq, D], lse and delta [B, Hq, T]. */
export interface AttentionBackward extends TrainedAttention {
  readonly d_o: ArrayLike<number>;
  readonly lse: ArrayLike<number>;
  readonly delta: ArrayLike<number>;
}

/** A query row, of position t and query head h. */
export interface QueryRow {
  /** Its first element in q, o and d_o. */
  readonly query: number;
  /** Its number in lse and delta. */
  readonly figure: number;
  /** Of each key that it sees: its first element in k and v, and in gradients [B * T, Hkv, D]. */
  readonly keys: readonly { readonly stored: number; readonly gradient: number }[];
}

/** All of them. */
export function queryRows(sizes: AttentionSizes): QueryRow[] {
  const { batch, length, numKvHeads, groupSize, headDim, capacity } = sizes;
  const heads = numKvHeads * groupSize;
  const rows: QueryRow[] = [];
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const hk = Math.floor(h / groupSize);
      for (let t = 0; t < length; t++) {
        const keys = Array.from({ length: t + 1 }, (_, s) => ({
          stored: ((b * numKvHeads + hk) * capacity + s) * headDim,
          gradient: ((b * length + s) * numKvHeads + hk) * headDim,
        }));
        rows.push({
          query: ((b * length + t) * heads + h) * headDim,
          figure: (b * heads + h) * length + t,
          keys,
        });
      }
    }
  }
  return rows;
}

export function dot(
  headDim: number,
  a: ArrayLike<number>,
  aStart: number,
  b: ArrayLike<number>,
  bStart: number,
): number {
  let sum = 0;
  for (let d = 0; d < headDim; d++) sum += a[aStart + d]! * b[bStart + d]!;
  return sum;
}

/** o [B * T, Hq, D] and lse [B, Hq, T]. */
export function trainedAttention(p: TrainedAttention): { o: Float64Array; lse: Float64Array } {
  const rows = queryRows(p);
  const o = new Float64Array(rows.length * p.headDim);
  const lse = new Float64Array(rows.length);
  for (const { query, figure, keys } of rows) {
    const scores = keys.map(({ stored }) => p.scale * dot(p.headDim, p.q, query, p.k, stored));
    const most = Math.max(...scores);
    lse[figure] = most + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - most), 0));
    for (const [i, { stored }] of keys.entries()) {
      const weight = Math.exp(scores[i]! - lse[figure]);
      for (let d = 0; d < p.headDim; d++) o[query + d]! += weight * p.v[stored + d]!;
    }
  }
  return { o, lse };
}

/** Of a row and each key that it sees: the weight, and the gradient of q.k, which the scale is part of. */
export function weightsOf(
  p: AttentionBackward,
  { query, figure, keys }: QueryRow,
): { weight: number; gradient: number }[] {
  return keys.map(({ stored }) => {
    const weight = Math.exp(p.scale * dot(p.headDim, p.q, query, p.k, stored) - p.lse[figure]!);
    const change = dot(p.headDim, p.d_o, query, p.v, stored) - p.delta[figure]!;
    return { weight, gradient: weight * change * p.scale };
  });
}
