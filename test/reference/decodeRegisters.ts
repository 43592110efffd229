// decodeRegisters.ts: twin of shaders/attention/decode_registers.wgsl: items as decodeTiles.ts has them, each shared by several runs.
import { exact, type AttentionProblem, type Round } from '../../src/reference/attention.ts';
import { type FusedResult, type Item, keys, resultOf, type RowState, stateOf } from './decodeTiles.ts';

/** The results of all items. Of each one's keys, run r of `runs` takes every runs-th from the r-th on. */
export function decodeRegisters(
  p: AttentionProblem,
  items: readonly Item[],
  runs: number,
  round: Round = exact,
): FusedResult {
  return resultOf(p, items, round, (row, { begin, end }) => {
    const states = Array.from({ length: runs }, (_, r) => stateOf(p, row, keys(begin + r, end, runs), round));
    return states.reduce((merged, state) => mergeTwo(merged, state, round));
  });
}

function mergeTwo(a: RowState, b: RowState, round: Round): RowState {
  const m = Math.max(a.m, b.m);
  const [shrinkA, shrinkB] = [round(Math.exp(round(a.m - m))), round(Math.exp(round(b.m - m)))];
  return {
    m,
    l: round(round(a.l * shrinkA) + round(b.l * shrinkB)),
    o: a.o.map((x, d) => round(round(x * shrinkA) + round(b.o[d]! * shrinkB))),
  };
}
