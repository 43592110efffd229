// verify.ts: is a kernel's output right? Its error against float64, and the bound it has to keep.
import { ShapeError } from '../device/errors.ts';
import { describe, isRecord } from '../device/options.ts';
import { LSE_EMPTY } from '../numbers/lse.ts';
import { checkFloats, checkProblem, qLenOf, type AttentionProblem } from './attentionProblem.ts';
import { notFiniteText, placeInO } from './notFinite.ts';
import { attention, type AttentionResult } from './attention.ts';

/** Worst absolute error and its bound, of the output and of the log-sum-exp. */
export interface Verdict {
  readonly pass: boolean;
  readonly maxAbsErr: number;
  readonly bound: number;
  readonly lseAbsErr: number;
  readonly lseBound: number;
  /** Where the worst output element is: [b, h, i, d], what was expected and what was got. */
  readonly worst: string;
  /** What is not finite in the result, if anything is: it does not pass then, whatever was expected. */
  readonly notFinite?: string;
}

/** What a problem's result has to be, and how far off a kernel may be. */
export interface Expected {
  readonly problem: AttentionProblem;
  readonly truth: AttentionResult;
  readonly bound: number;
  readonly lseBound: number;
}

/**
 * Computes truth and bounds by flash-attention's rule: a kernel's worst error may be twice that of a naive f32
 * implementation, plus 1e-6 of the largest expected magnitude.
 */
export function expect64(problem: AttentionProblem): Expected {
  const truth = attention(problem);
  const naive = attention(problem, Math.fround);
  return {
    problem,
    truth,
    bound: 2 * worstError(naive.o, truth.o).error + 1e-6 * largest(truth.o),
    lseBound: 2 * worstError(naive.lse, truth.lse).error + 1e-6 * largest(truth.lse),
  };
}

/**
 * Holds an output against what was expected. NaN, infinity and any value in a row that must be empty are failures, also where
 * the same was expected, and so is everything where the expected values are no numbers themselves.
 */
export function verify(expected: Expected, o: Float32Array, lse: Float32Array): Verdict {
  checkExpected(expected);
  const { truth, bound, lseBound } = expected;
  checkFloats('verify: o', o, truth.o.length);
  checkFloats('verify: lse', lse, truth.lse.length);
  const { problem } = expected;
  const rows = { o: present(problem, o, 0), lse: present(problem, lse, Math.fround(LSE_EMPTY)) };
  const out = worstError(rows.o, truth.o);
  // A row with nothing to attend to: the float64 reference has minus infinity, the kernels a finite floor.
  const floored = Array.from(rows.lse, (x) => (x === Math.fround(LSE_EMPTY) ? -Infinity : x));
  const sums = worstError(floored, truth.lse);
  const notFinite = notFiniteText(problem, rows.o, rows.lse);
  return {
    pass: notFinite === undefined && within(out.error, bound) && within(sums.error, lseBound),
    maxAbsErr: out.error,
    bound,
    lseAbsErr: sums.error,
    lseBound,
    worst: `${placeInO(problem, out.at)}: expected ${truth.o[out.at]}, got ${o[out.at]}`,
    ...(notFinite !== undefined && { notFinite }),
  };
}

/** The values, `absent` in place of those of positions that a sequence does not have: what lies there is no kernel's. */
function present(problem: AttentionProblem, values: Float32Array, absent: number): Float32Array {
  if (problem.qLens === undefined) return values;
  const { batch, numQHeads, qLen } = problem;
  const perRow = values.length / (batch * numQHeads * qLen);
  return values.map((x, i) => {
    const row = Math.floor(i / perRow);
    return row % qLen < qLenOf(problem, Math.floor(row / qLen / numQHeads)) ? x : absent;
  });
}

/** Throws ShapeError unless this is what `expect64` gave. A bound that is not finite is one that nothing keeps. */
function checkExpected(expected: Expected): void {
  const isExpected =
    isRecord(expected) &&
    isRecord(expected.truth) &&
    [expected.truth.o, expected.truth.lse].every((values) => values instanceof Float64Array) &&
    [expected.bound, expected.lseBound].every((bound) => typeof bound === 'number');
  if (!isExpected) {
    throw new ShapeError(`verify: expected: expected what expect64 gives, got ${describe(expected)}`);
  }
  checkProblem('verify: expected.problem', expected.problem);
}

/** Whether an error keeps its bound: not where either is no number, so that nothing passes by being unknown. */
export function within(error: number, bound: number): boolean {
  return Number.isFinite(bound) && error <= bound;
}

/** The largest absolute difference and where it is; NaN counts as infinite. */
export function worstError(got: ArrayLike<number>, want: ArrayLike<number>): { error: number; at: number } {
  if (got.length !== want.length)
    throw new ShapeError(`verify: expected ${want.length} values, got ${got.length}`);
  let error = 0;
  let at = 0;
  for (let i = 0; i < want.length; i++) {
    const difference = got[i] === want[i] ? 0 : Math.abs(got[i]! - want[i]!);
    if (difference <= error) continue;
    at = i;
    error = Number.isNaN(difference) ? Infinity : difference;
  }
  return { error, at };
}

/** The largest finite magnitude. */
export function largest(values: Float64Array): number {
  let most = 0;
  for (const x of values) if (Number.isFinite(x)) most = Math.max(most, Math.abs(x));
  return most;
}
