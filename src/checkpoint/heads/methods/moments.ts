// moments.ts: the second moments of a group of heads, all that the aligning methods and the report need to know of it.
import type { HeadTransform } from './transform.ts';
import { addTo, block, inner, multiply, trace, transpose } from '../linear/dense.ts';

/**
 * Second moments of some KV heads of a layer, over calibration tokens, or over white inputs when the weights alone are
 * known. D is head_dim, g the number of heads.
 */
export interface Moments {
  readonly headDim: number;
  /** Source KV heads, in the order of everything below. */
  readonly heads: readonly number[];
  /** E[k_s k_t^T] in blocks, [g D, g D]; likewise of the values. */
  readonly k: Float64Array;
  readonly v: Float64Array;
  /** For each KV head, E[q q^T] summed over the query heads that read it, [D, D]. */
  readonly q: readonly Float64Array[];
  /** For each KV head, W_O^T W_O summed over the query heads that read it, [D, D]: what the output sees of a value. */
  readonly o: readonly Float64Array[];
}

/** The moments of some of the heads; `members` are numbers of source KV heads, all of them in `moments`. */
export function momentsOf(moments: Moments, members: readonly number[]): Moments {
  const at = members.map((head) => moments.heads.indexOf(head));
  const pick = (a: Float64Array) => pickBlocks(a, moments.heads.length, moments.headDim, at);
  return {
    headDim: moments.headDim,
    heads: members,
    k: pick(moments.k),
    v: pick(moments.v),
    q: at.map((i) => moments.q[i]!),
    o: at.map((i) => moments.o[i]!),
  };
}

function pickBlocks(a: Float64Array, g: number, d: number, at: readonly number[]): Float64Array {
  if (at.length === g && at.every((from, to) => from === to)) return a;
  const size = at.length * d;
  const out = new Float64Array(size * size);
  at.forEach((row, i) => {
    at.forEach((column, j) => {
      for (let r = 0; r < d; r++) {
        const begin = (row * d + r) * g * d + column * d;
        out.set(a.subarray(begin, begin + d), (i * d + r) * size + j * d);
      }
    });
  });
  return out;
}

/** E[x_s x_t^T] of heads number s and t in a matrix of moments. */
export function pairBlock(a: Float64Array, { heads, headDim }: Moments, s: number, t: number): Float64Array {
  return block(a, heads.length * headDim, headDim, [s, t]);
}

/**
 * What is lost of each head: sqrt(E|x - x'|^2 / E|x|^2), where x' is the head as its readers see it after the merge:
 * out_s . sum_t in_t x_t. 0 is nothing, 1 as much as leaving it out. A head that is 0 throughout has lost nothing.
 */
export function relativeErrors(
  moments: Moments,
  of: 'k' | 'v',
  transforms: readonly HeadTransform[],
): number[] {
  const { headDim: d } = moments;
  const ins = transforms.map((t) => (of === 'k' ? t.kIn : t.vIn));
  // A query's matrix meets the key transposed: q' . k' = (P q) . k' = q . (P^T k').
  const outs = transforms.map((t) => (of === 'k' ? transpose(t.qOut, d) : t.vOut));
  const a = of === 'k' ? moments.k : moments.v;
  const crossed = transforms.map((_, s) => {
    const sum = new Float64Array(d * d);
    ins.forEach((matrix, t) => addTo(sum, multiply(matrix, pairBlock(a, moments, t, s), d)));
    return sum;
  });
  const shared = new Float64Array(d * d);
  crossed.forEach((matrix, s) => addTo(shared, multiply(matrix, transpose(ins[s]!, d), d)));
  return transforms.map((_, s) => {
    const out = outs[s]!;
    const whole = trace(pairBlock(a, moments, s, s), d);
    const cross = inner(transpose(out, d), crossed[s]!);
    const kept = inner(multiply(out, shared, d), out);
    return whole > 0 ? Math.sqrt(Math.max(0, whole - 2 * cross + kept) / whole) : 0;
  });
}
