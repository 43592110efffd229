// scores.ts: the scores of an attention problem, stage by stage, in float64.
import { checkProblem, qLenOf, type AttentionProblem } from './attentionProblem.ts';
import { exact, product, visibleKeys } from './attention.ts';
import { featuredScore, featuresShow, type RowPlace } from './problemFeatures.ts';

/**
 * `scaled`: scale * q . k; `capped`: after the softcap; `biased`: after ALiBi and bias, -Infinity where the key is not seen;
 * `weights`: after the softmax, 0 where it is not.
 */
export const SCORE_STAGES = ['scaled', 'capped', 'biased', 'weights'] as const;
export type ScoreStage = (typeof SCORE_STAGES)[number];

/**
 * Scores [B, Hq, Lq, keys] of the first `keys` slots of each sequence. Rows of positions that a sequence does not have are 0.
 * Throws ShapeError for sizes that do not fit.
 */
export function scoresOf(problem: AttentionProblem, stage: ScoreStage, keys: number): Float64Array {
  checkProblem('scores', problem);
  const { batch, numQHeads, qLen } = problem;
  const scores = new Float64Array(batch * numQHeads * qLen * keys);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < numQHeads; h++) {
      for (let i = 0; i < qLenOf(problem, b); i++) {
        const row = (b * numQHeads + h) * qLen + i;
        const place = { b, h, i, own: problem.kvLens[b]! - qLenOf(problem, b) + i };
        putRow(problem, stage, place, row, scores.subarray(row * keys, (row + 1) * keys));
      }
    }
  }
  return scores;
}

function putRow(
  p: AttentionProblem,
  stage: ScoreStage,
  place: RowPlace,
  row: number,
  out: Float64Array,
): void {
  const { features = {}, headDim, numQHeads, numKvHeads, capacity } = p;
  const head = place.b * numKvHeads + Math.floor(place.h / (numQHeads / numKvHeads));
  const { softcap } = features;
  const applied =
    stage === 'scaled' ? {} : stage === 'capped' ? (softcap === undefined ? {} : { softcap }) : features;
  const seen = visibleKeys(p, place.b, place.i);
  for (let t = 0; t < out.length; t++) {
    const hidden = t >= seen || !featuresShow(features, place, t);
    if (hidden && (stage === 'biased' || stage === 'weights')) out[t] = -Infinity;
    else {
      const score = product(p, row * headDim, (head * capacity + t) * headDim, exact);
      out[t] = featuredScore(applied, score, place, t, exact);
    }
  }
  if (stage === 'weights') softmax(out, features.sinkLogits?.[place.h]);
}

/** In place; a row that sees no key has no weights. */
function softmax(scores: Float64Array, sink = -Infinity): void {
  const m = scores.reduce((most, score) => Math.max(most, score), Math.fround(sink));
  if (m === -Infinity) return void scores.fill(0);
  const sum = scores.reduce((all, score) => all + Math.exp(score - m), Math.exp(Math.fround(sink) - m));
  for (const [t, score] of scores.entries()) scores[t] = Math.exp(score - m) / sum;
}
