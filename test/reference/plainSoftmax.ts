// plainSoftmax.ts: twin of shaders/plain/plain_softmax.wgsl: each row of scores becomes weights that sum to 1.
import { exact, UNWRITTEN, type Round } from '../../src/reference/attention.ts';
import { NEG_MAX, resultOfState } from './decodeTiles.ts';

/** Scores [B, rowsPerSequence, capacity], of which a sequence's first kvLens[b] count. */
export interface ScoreRows {
  readonly kvLens: readonly number[];
  readonly rowsPerSequence: number;
  readonly capacity: number;
  readonly scores: ArrayLike<number>;
}

/** Weights in the scores' layout, UNWRITTEN past the length; natural log-sum-exp, -Infinity for a row of NEG_MAX alone. */
export function plainSoftmax(
  p: ScoreRows,
  round: Round = exact,
): { weights: Float64Array; lse: Float64Array } {
  const rows = p.kvLens.length * p.rowsPerSequence;
  const weights = new Float64Array(rows * p.capacity).fill(UNWRITTEN);
  const lse = new Float64Array(rows).fill(-Infinity);
  for (let row = 0; row < rows; row++) {
    const kvLen = p.kvLens[Math.floor(row / p.rowsPerSequence)]!;
    const start = row * p.capacity;
    let m = NEG_MAX;
    for (let t = 0; t < kvLen; t++) m = Math.max(m, p.scores[start + t]!);
    let l = 0;
    for (let t = 0; t < kvLen; t++) {
      const score = p.scores[start + t]!;
      weights[start + t] = score > NEG_MAX ? round(Math.exp(round(score - m))) : 0;
      l = round(l + weights[start + t]!);
    }
    const whole = resultOfState({ m, l, o: weights.subarray(start, start + kvLen) }, round);
    weights.set(whole.o, start);
    lse[row] = whole.lse;
  }
  return { weights, lse };
}
