// attention.ts: grouped-query attention in plain loops, the oracle of every kernel.
import { checkFunction } from '../device/options.ts';
import { checkProblem, qLenOf, vHeadDimOf, type AttentionProblem } from './attentionProblem.ts';
import { featuredScore, featuresShow, type RowPlace } from './problemFeatures.ts';

export { qLenOf, vHeadDimOf, type AttentionProblem } from './attentionProblem.ts';

/**
 * o [B, Hq, Lq, Dv] and natural log-sum-exp [B, Hq, Lq]; a row with nothing to attend to has o = 0, lse = -Infinity or its
 * head's sink logit, one with a score outside the range (`isScore`) NaN for both. Rows of positions that a sequence does not
 * have stay o = 0, lse = -Infinity.
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
        const place = { b, h, i, own: problem.kvLens[b]! - qLenOf(problem, b) + i };
        lse[row] = attendRow(problem, row, slot, place, o, round);
      }
    }
  }
  return { o, lse };
}

/** One query row over the keys that it sees, of those from `slot` on; writes its row of o and returns the log-sum-exp. */
function attendRow(
  p: AttentionProblem,
  row: number,
  slot: number,
  place: RowPlace,
  o: Float64Array,
  round: Round,
): number {
  const { headDim, features = {} } = p;
  const vHeadDim = vHeadDimOf(p);
  const at = row * vHeadDim;
  const sink = features.sinkLogits ? Math.fround(features.sinkLogits[place.h]!) : -Infinity;
  const keys = keysOf(p, place);
  if (keys.length === 0) return sink;
  const products = keys.map((t) => product(p, row * headDim, (slot + t) * headDim, round));
  const scores = products.map((score, n) => featuredScore(features, score, place, keys[n]!, round));
  if (![...products, ...scores].every(isScore)) {
    o.fill(NaN, at, at + vHeadDim);
    return NaN;
  }
  const m = scores.reduce((most, score) => Math.max(most, score), sink);
  let l = round(Math.exp(round(sink - m)));
  for (const [n, t] of keys.entries()) {
    const weight = round(Math.exp(round(scores[n]! - m)));
    l = round(l + weight);
    const v = (slot + t) * vHeadDim;
    for (let d = 0; d < vHeadDim; d++) o[at + d] = round(o[at + d]! + round(weight * p.v[v + d]!));
  }
  for (let d = 0; d < vHeadDim; d++) o[at + d] = round(o[at + d]! / l);
  return round(m + round(Math.log(l)));
}

function keysOf(p: AttentionProblem, row: RowPlace): number[] {
  const keys = Array.from({ length: visibleKeys(p, row.b, row.i) }, (_, t) => t);
  const { features } = p;
  return features ? keys.filter((t) => featuresShow(features, row, t)) : keys;
}

/** The scaled product of the query at `at` with the key at `k`. */
export function product(
  { q, k, headDim, smScale }: AttentionProblem,
  at: number,
  key: number,
  round: Round,
): number {
  let dot = 0;
  for (let d = 0; d < headDim; d++) dot = round(dot + round(q[at + d]! * k[key + d]!));
  return round(dot * smScale);
}
