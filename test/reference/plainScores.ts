// plainScores.ts: twin of shaders/plain/plain_scores.wgsl: scores[b, h, i, t] = scale * q[b, h, i] . k[b, h / G, t].
import {
  exact,
  qLenOf,
  UNWRITTEN,
  visibleKeys,
  type AttentionProblem,
  type Round,
} from '../../src/reference/attention.ts';
import { keptScore, NEG_MAX } from './decodeTiles.ts';

/** [B, Lq, Hq, capacity]; NEG_MAX for a key the query may not see, UNWRITTEN for slots past the length. */
export function plainScores(p: AttentionProblem, round: Round = exact): Float64Array {
  const scores = new Float64Array(p.batch * p.numQHeads * p.qLen * p.capacity).fill(UNWRITTEN);
  for (let b = 0; b < p.batch; b++) {
    for (let h = 0; h < p.numQHeads; h++) {
      const hk = Math.floor(h / (p.numQHeads / p.numKvHeads));
      for (let i = 0; i < qLenOf(p, b); i++) {
        const scoreRow = (b * p.qLen + i) * p.numQHeads + h;
        const row = (b * p.numQHeads + h) * p.qLen + i;
        for (let t = 0; t < p.kvLens[b]!; t++) {
          const key = ((b * p.numKvHeads + hk) * p.capacity + t) * p.headDim;
          let dot = 0;
          for (let d = 0; d < p.headDim; d++) {
            dot = round(dot + round(p.q[row * p.headDim + d]! * p.k[key + d]!));
          }
          scores[scoreRow * p.capacity + t] =
            t < visibleKeys(p, b, i) ? keptScore(round(dot * p.smScale)) : NEG_MAX;
        }
      }
    }
  }
  return scores;
}
