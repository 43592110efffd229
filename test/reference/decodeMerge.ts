// decodeMerge.ts: twin of shaders/decode_merge.wgsl: partial states of each row become its output and log-sum-exp.
import { exact, type AttentionResult, type Round } from './attention.ts';
import type { PartialStates } from './decodeSplit.ts';

/** Merges the states of every row. A state with l = 0 is empty: its o, which may be anything, is not read. */
export function decodeMerge(states: PartialStates, round: Round = exact): AttentionResult {
  const { rows, numSplits, headDim } = states;
  const o = new Float64Array(rows * headDim);
  const lse = new Float64Array(rows).fill(-Infinity);
  for (let row = 0; row < rows; row++) {
    const filled = [];
    for (let s = 0; s < numSplits; s++) {
      if (states.l[row * numSplits + s]! > 0) filled.push(row * numSplits + s);
    }
    if (filled.length === 0) continue;
    const m = Math.max(...filled.map((at) => states.m[at]!));
    let l = 0;
    for (const at of filled) {
      const shrink = round(Math.exp(round(states.m[at]! - m)));
      l = round(l + round(states.l[at]! * shrink));
      for (let d = 0; d < headDim; d++) {
        const i = row * headDim + d;
        o[i] = round(o[i]! + round(states.o[at * headDim + d]! * shrink));
      }
    }
    for (let d = 0; d < headDim; d++) o[row * headDim + d] = round(o[row * headDim + d]! / l);
    lse[row] = round(m + round(Math.log(l)));
  }
  return { o, lse };
}
