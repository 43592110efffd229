// decodeSplit.ts: twin of shaders/decode_split.wgsl: what each query row gets from each split of its keys.
import { exact, visibleKeys, type AttentionProblem, type Round } from './attention.ts';

/** The shader's NEG_MAX: the lowest finite f32, a state's maximum before it saw a key. */
export const NEG_MAX = -3.4028234663852886e38;

/**
 * Partial states, rows in the order [B, Hq, Lq]: m [rows, numSplits] greatest score, l [rows, numSplits] sum of
 * exp(score - m), o [rows, numSplits, D] sum of exp(score - m) * v. Without a visible key: m = NEG_MAX, l = 0, o = 0.
 */
export interface PartialStates {
  readonly rows: number;
  readonly numSplits: number;
  readonly headDim: number;
  readonly m: Float64Array;
  readonly l: Float64Array;
  readonly o: Float64Array;
}

/** Split s of a sequence holds its keys s * splitLen to (s + 1) * splitLen - 1, as far as there are any. */
export interface Splits {
  readonly numSplits: number;
  readonly splitLen: number;
}

/** The states of all rows and splits. */
export function decodeSplit(
  p: AttentionProblem,
  { numSplits, splitLen }: Splits,
  round: Round = exact,
): PartialStates {
  const rows = p.batch * p.numQHeads * p.qLen;
  const m = new Float64Array(rows * numSplits).fill(NEG_MAX);
  const l = new Float64Array(rows * numSplits);
  const o = new Float64Array(rows * numSplits * p.headDim);
  for (let row = 0; row < rows; row++) {
    const b = Math.floor(row / (p.numQHeads * p.qLen));
    const visible = visibleKeys(p, b, row % p.qLen);
    for (let s = 0; s < numSplits; s++) {
      const first = s * splitLen;
      const scores = scoresOf(p, row, first, Math.min(first + splitLen, visible), round);
      const at = row * numSplits + s;
      m[at] = Math.max(NEG_MAX, ...scores);
      scores.forEach((score, j) => {
        const weight = round(Math.exp(round(score - m[at]!)));
        l[at] = round(l[at]! + weight);
        const value = keyStart(p, row, first + j);
        for (let d = 0; d < p.headDim; d++) {
          o[at * p.headDim + d] = round(o[at * p.headDim + d]! + round(weight * p.v[value + d]!));
        }
      });
    }
  }
  return { rows, numSplits, headDim: p.headDim, m, l, o };
}

/** Scaled scores of one row against keys first .. end - 1. */
function scoresOf(p: AttentionProblem, row: number, first: number, end: number, round: Round): number[] {
  const scores: number[] = [];
  for (let t = first; t < end; t++) {
    const key = keyStart(p, row, t);
    let dot = 0;
    for (let d = 0; d < p.headDim; d++) {
      dot = round(dot + round(p.q[row * p.headDim + d]! * p.k[key + d]!));
    }
    scores.push(round(dot * p.smScale));
  }
  return scores;
}

/** Where the key (or value) that a row has at position t begins: its query head h reads KV head floor(h / G). */
function keyStart(p: AttentionProblem, row: number, t: number): number {
  const head = Math.floor(row / p.qLen); // b * Hq + h
  const b = Math.floor(head / p.numQHeads);
  const hk = Math.floor((head % p.numQHeads) / (p.numQHeads / p.numKvHeads));
  return ((b * p.numKvHeads + hk) * p.capacity + t) * p.headDim;
}
