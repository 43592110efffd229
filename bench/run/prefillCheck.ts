// prefillCheck.ts: some rows of a prompt's output held against float64: all of them would take longer than the benchmark.
import { expect64, verify, type Expected, type Verdict } from '../../src/reference/verify.ts';
import type { StoredProblem } from '../../src/reference/problem.ts';
import { rowProblem, spotRows, type RowAt } from '../check/rowProblem.ts';

/** Rows of a problem and what they should be. */
export interface ExpectedRows {
  readonly problem: StoredProblem;
  readonly rows: readonly { readonly at: RowAt; readonly expected: Expected }[];
}

export function expectRows(problem: StoredProblem): ExpectedRows {
  return {
    problem,
    rows: spotRows(problem).map((at) => ({ at, expected: expect64(rowProblem(problem, at)) })),
  };
}

/** The verdict on the worst of the rows, or on one that is wrong. */
export function verifyRows({ problem, rows }: ExpectedRows, o: Float32Array, lse: Float32Array): Verdict {
  const { numQHeads, qLen, vHeadDim } = problem;
  const verdicts = rows.map(({ at: [b, head, position], expected }) => {
    const row = (b * numQHeads + head) * qLen + position;
    return verify(expected, o.subarray(row * vHeadDim, (row + 1) * vHeadDim), lse.subarray(row, row + 1));
  });
  const worse = (a: Verdict, b: Verdict) => {
    if (a.pass !== b.pass) return a.pass ? b : a;
    return b.maxAbsErr / b.bound > a.maxAbsErr / a.bound ? b : a;
  };
  return verdicts.reduce(worse);
}
