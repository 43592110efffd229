// rowCheck.ts: what a result keeps of the check of its output.
import type { Verdict } from '../../src/reference/verify.ts';
import type { RowCheck } from '../schema/schema.ts';

/** What is wrong with a result that did not pass. */
export function wrongText({ maxAbsErr, bound, notFinite }: RowCheck): string {
  return notFinite ?? `error ${maxAbsErr.toExponential(2)}, bound ${bound.toExponential(2)}`;
}

/** What a row keeps of a verdict: the worse of the errors of output and log-sum-exp, each as a share of its bound. */
export function checkOf(verdict: Verdict): RowCheck {
  const { pass, notFinite, maxAbsErr, bound, lseAbsErr, lseBound } = verdict;
  const ofLse = !pass && maxAbsErr <= bound;
  return {
    ref: 'cpu-f64',
    pass,
    ...(ofLse ? { maxAbsErr: lseAbsErr, bound: lseBound } : { maxAbsErr, bound }),
    ...(notFinite !== undefined && { notFinite }),
  };
}
