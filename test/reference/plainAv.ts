// plainAv.ts: twin of shaders/plain/plain_av.wgsl: o[b, h, i] = sum over visible t of weight[b, h, i, t] * v[b, h / G, t].
import {
  exact,
  qLenOf,
  UNWRITTEN,
  vHeadDimOf,
  visibleKeys,
  type AttentionProblem,
  type Round,
} from '../../src/reference/attention.ts';

/** o [B, Hq, Lq, Dv] from weights [B, Lq, Hq, capacity]; 0 for a row with nothing to attend to. */
export function plainAv(p: AttentionProblem, weights: ArrayLike<number>, round: Round = exact): Float64Array {
  const dim = vHeadDimOf(p);
  const o = new Float64Array(p.batch * p.numQHeads * p.qLen * dim).fill(UNWRITTEN);
  for (let b = 0; b < p.batch; b++) {
    for (let h = 0; h < p.numQHeads; h++) {
      const hk = Math.floor(h / (p.numQHeads / p.numKvHeads));
      for (let i = 0; i < qLenOf(p, b); i++) {
        const row = (b * p.numQHeads + h) * p.qLen + i;
        const weightRow = (b * p.qLen + i) * p.numQHeads + h;
        o.fill(0, row * dim, (row + 1) * dim);
        for (let t = 0; t < visibleKeys(p, b, i); t++) {
          const value = ((b * p.numKvHeads + hk) * p.capacity + t) * dim;
          for (let d = 0; d < dim; d++) {
            const at = row * dim + d;
            o[at] = round(o[at]! + round(weights[weightRow * p.capacity + t]! * p.v[value + d]!));
          }
        }
      }
    }
  }
  return o;
}
