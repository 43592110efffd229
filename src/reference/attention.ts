// attention.ts: grouped-query attention in plain loops, the oracle of every kernel.
import { checkFunction } from '../device/options.ts';
import { checkProblem, qLenOf, vHeadDimOf, type AttentionProblem } from './attentionProblem.ts';

export { qLenOf, vHeadDimOf, type AttentionProblem } from './attentionProblem.ts';

/**
 * o [B, Hq, Lq, Dv] and natural log-sum-exp [B, Hq, Lq]; a row with nothing to attend to has o = 0, lse = -Infinity, one with
 * a score outside the range (`isScore`) NaN for both. Rows of positions that a sequence does not have are as those with nothing
 * to attend to.
 */
export interface AttentionResult {
  readonly o: Float64Array;
  readonly lse: Float64Array;
}

/** Rounding after every operation: the identity gives float64 truth, `Math.fround` a naive f32 implementation. */
export type Round = (x: number) => number;

export const exact: Round = (x) => x;

/** Stands in a twin's result for what its kernel does not write. */
export const UNWRITTEN = Infinity;

/** The shaders' SCORE_MAX: a row that sees a key with a greater score, or with one of NaN, has no result. */
export const SCORE_MAX = Math.fround(2.9e38);

export function isScore(score: number): boolean {
  return Math.abs(score) <= SCORE_MAX;
}

/** Keys 0 .. result - 1 are visible to query position `i`: masks are aligned bottom-right, to the last position of each sequence. */
export function visibleKeys(problem: AttentionProblem, b: number, i: number): number {
  const kvLen = problem.kvLens[b]!;
  return problem.causal ? Math.max(0, kvLen - (qLenOf(problem, b) - 1 - i)) : kvLen;
}

/** Attention row by row: scores, softmax, weighted sum of values. Throws ShapeError for sizes that do not fit. */
export function attention(problem: AttentionProblem, round: Round = exact): AttentionResult {
  checkProblem('attention', problem);
  checkFunction('attention: round', round);
  const { batch, numQHeads, numKvHeads, qLen, capacity } = problem;
  const o = new Float64Array(batch * numQHeads * qLen * vHeadDimOf(problem));
  const lse = new Float64Array(batch * numQHeads * qLen).fill(-Infinity);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < numQHeads; h++) {
      const hk = Math.floor(h / (numQHeads / numKvHeads));
      const slot = (b * numKvHeads + hk) * capacity;
      for (let i = 0; i < qLenOf(problem, b); i++) {
        const row = (b * numQHeads + h) * qLen + i;
        lse[row] = attendRow(problem, row, slot, visibleKeys(problem, b, i), o, round);
      }
    }
  }
  return { o, lse };
}

/** One query row over `keys` keys, from `slot` on; writes its row of o and returns the log-sum-exp. */
function attendRow(
  p: AttentionProblem,
  row: number,
  slot: number,
  keys: number,
  o: Float64Array,
  round: Round,
): number {
  if (keys === 0) return -Infinity;
  const { headDim } = p;
  const vHeadDim = vHeadDimOf(p);
  const at = row * vHeadDim;
  const scores = new Float64Array(keys);
  let m = -Infinity;
  for (let t = 0; t < keys; t++) {
    let dot = 0;
    const k = (slot + t) * headDim;
    for (let d = 0; d < headDim; d++) dot = round(dot + round(p.q[row * headDim + d]! * p.k[k + d]!));
    scores[t] = round(dot * p.smScale);
    m = Math.max(m, scores[t]!);
  }
  if (!scores.every(isScore)) {
    o.fill(NaN, at, at + vHeadDim);
    return NaN;
  }
  let l = 0;
  for (let t = 0; t < keys; t++) {
    const weight = round(Math.exp(round(scores[t]! - m)));
    l = round(l + weight);
    const v = (slot + t) * vHeadDim;
    for (let d = 0; d < vHeadDim; d++) o[at + d] = round(o[at + d]! + round(weight * p.v[v + d]!));
  }
  for (let d = 0; d < vHeadDim; d++) o[at + d] = round(o[at + d]! / l);
  return round(m + round(Math.log(l)));
}
