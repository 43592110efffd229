// transform.ts: the matrices that merge the KV heads of a group, and the head maps that carry them out.
import { identity, scaled } from '../linear/dense.ts';
import type { HeadMaps, HeadMix } from '../headMix.ts';
import type { Regrouping } from '../heads.ts';

/**
 * What becomes of one source KV head and of the query heads that read it, as matrices [D, D]. The shared key is
 * sum_s kIn_s k_s and each query becomes qOut q; the shared value is sum_s vIn_s v_s and a query head's output
 * projection W_O becomes W_O vOut.
 */
export interface HeadTransform {
  readonly kIn: Float64Array;
  readonly qOut: Float64Array;
  readonly vIn: Float64Array;
  readonly vOut: Float64Array;
}

/** The mean of g heads as transforms: nothing is turned. */
export function meanTransforms(g: number, headDim: number): HeadTransform[] {
  const one = identity(headDim);
  const part = scaled(one, 1 / g);
  return Array.from({ length: g }, () => ({ kIn: part, qOut: one, vIn: part, vOut: one }));
}

/** The first of g heads as transforms. */
export function firstTransforms(g: number, headDim: number): HeadTransform[] {
  const one = identity(headDim);
  const none = new Float64Array(headDim * headDim);
  return Array.from({ length: g }, (_, s) => {
    const part = s === 0 ? one : none;
    return { kIn: part, qOut: one, vIn: part, vOut: one };
  });
}

/** The head maps of a layer. `transforms` are by source KV head. */
export function transformMaps(
  { members, queryOrder, kvHeadOf }: Regrouping,
  transforms: ReadonlyMap<number, HeadTransform>,
  headDim: number,
): HeadMaps {
  const of = (s: number) => transforms.get(s)!;
  const query = (matrix: (t: HeadTransform) => Float64Array): HeadMix[] =>
    queryOrder.map((h) => ({ heads: [h], matrices: [matrix(of(kvHeadOf[h]!))] }));
  return {
    k: members.map((heads) => ({ heads, matrices: heads.map((s) => of(s).kIn) })),
    v: members.map((heads) => ({ heads, matrices: heads.map((s) => of(s).vIn) })),
    q: query((t) => t.qOut),
    // A slot of the output projection holds columns of W_O as rows: (W_O vOut)^T = vOut^T W_O^T.
    o: query(({ vOut }) => transposed(vOut, headDim)),
  };
}

function transposed(a: Float64Array, d: number): Float64Array {
  return a.map((_, i) => a[(i % d) * d + Math.floor(i / d)]!);
}
