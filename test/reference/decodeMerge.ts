// decodeMerge.ts: twin of shaders/attention/decode_merge.wgsl: partial states of each row become its output and log-sum-exp.
import { exact, UNWRITTEN, type AttentionResult, type Round } from '../../src/reference/attention.ts';
import { resultOfState } from './decodeTiles.ts';

/** Partial states, of whatever rows: m and l [states], o [states, D] not yet divided by l. */
export interface States {
  readonly headDim: number;
  readonly m: ArrayLike<number>;
  readonly l: ArrayLike<number>;
  readonly o: ArrayLike<number>;
}

/**
 * o [rows, D] and lse [rows]. `rows` lists the states of each row; UNWRITTEN for one without a list, which the kernel leaves
 * alone. A state with l = 0 is empty: its o, which may be anything, is not read.
 */
export function decodeMerge(
  rows: readonly (readonly number[] | undefined)[],
  states: States,
  round: Round = exact,
): AttentionResult {
  const { headDim } = states;
  const o = new Float64Array(rows.length * headDim);
  const lse = new Float64Array(rows.length).fill(-Infinity);
  rows.forEach((list, row) => {
    if (list === undefined) {
      lse[row] = UNWRITTEN;
      o.fill(UNWRITTEN, row * headDim, (row + 1) * headDim);
      return;
    }
    const filled = list.filter((at) => states.l[at]! > 0);
    if (filled.length === 0) return;
    const m = Math.max(...filled.map((at) => states.m[at]!));
    let l = 0;
    const sum = new Float64Array(headDim);
    for (const at of filled) {
      const shrink = round(Math.exp(round(states.m[at]! - m)));
      l = round(l + round(states.l[at]! * shrink));
      for (let d = 0; d < headDim; d++) {
        sum[d] = round(sum[d]! + round(states.o[at * headDim + d]! * shrink));
      }
    }
    const whole = resultOfState({ m, l, o: sum }, round);
    o.set(whole.o, row * headDim);
    lse[row] = whole.lse;
  });
  return { o, lse };
}
