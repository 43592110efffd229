// rowResult.ts: what a row's samples, or the error that kept it from any, come to in the result.
import { GqaError } from '../../src/index.ts';
import { wrongText } from '../check/rowCheck.ts';
import { rowId, testName, variantName } from './rows.ts';
import { clockFault, spread, type Running } from './sampling.ts';
import type { BenchRow, RowCheck, RowParams, RowTime } from '../schema/schema.ts';
import { median, medianInterval } from '../schema/stats.ts';

/** A median known less well than this gets a warning. */
const NOISY = 0.05;

function rowBase(params: RowParams) {
  return { id: rowId(params), test: testName(params), variant: variantName(params), params };
}

/** Whether an error says why a row cannot be: too little memory, say. A lost device ends the run. */
export function isRowFault(error: unknown): error is GqaError {
  return error instanceof GqaError && error.code !== 'device-lost';
}

/** A row without a time. */
export function failedRow(params: RowParams, error: string): BenchRow {
  return {
    ...rowBase(params),
    splits: 0,
    splitLen: 0,
    bytes: { kvRead: 0, partial: 0 },
    cold: false,
    workingSetBytes: 0,
    check: null,
    time: null,
    error,
    warnings: [],
  };
}

/** A row whose output was wrong, before it was timed or after: it has no time. */
export function wrongRow(params: RowParams, checks: Pick<BenchRow, 'check' | 'checkAfter'>): BenchRow {
  const when = checks.checkAfter ? ' after it was timed' : '';
  const text = `wrong result${when}: ${wrongText(checks.checkAfter ?? checks.check!)}`;
  return { ...failedRow(params, text), ...checks };
}

/** Whether a check of the row's output failed. */
export function isWrong({ check, checkAfter }: Pick<BenchRow, 'check' | 'checkAfter'>): boolean {
  return check?.pass === false || checkAfter?.pass === false;
}

/** Whether a row ran, and its clock could not tell how long it took. */
export function isUntimed({ warnings }: Pick<BenchRow, 'warnings'>): boolean {
  return warnings.includes('below-clock');
}

/** A row with its samples and what its output was afterwards; without a time where the clock could not tell one. */
export function timedRow(
  run: Running,
  stop: RowTime['stop'],
  coldBytes: number,
  checkAfter?: RowCheck,
): BenchRow {
  const { plan, sizes, workingSetBytes } = run.target;
  const fault = clockFault(run);
  return {
    ...rowBase(run.params),
    kernel: plan.kernel,
    ...(plan.kernel !== 'plain' && { sizes, tuned: run.tuned }),
    dispatches: [...plan.dispatches],
    splits: plan.numSplits,
    splitLen: plan.splitLen,
    bytes: { kvRead: plan.bytes.kv, partial: plan.bytes.partial },
    cold: run.params.cache === 'cold' && workingSetBytes >= coldBytes,
    workingSetBytes,
    check: run.check,
    ...(checkAfter && { checkAfter }),
    ...(run.clockNs !== undefined && { clockNs: run.clockNs }),
    time: fault === undefined ? rowTime(run, stop) : null,
    host: run.host,
    ...(fault !== undefined && { error: fault }),
    warnings: fault === undefined ? noiseOf(run.samplesNs, run.clockNs) : ['below-clock'],
  };
}

/** A row's samples and what they come to. */
export function rowTime(
  run: Omit<RowTime, 'median' | 'ci95' | 'min' | 'stop'>,
  stop: RowTime['stop'],
): RowTime {
  const { stepsPerSample, samplesNs, wallNs, firstNs } = run;
  return {
    stepsPerSample,
    samplesNs,
    wallNs,
    firstNs,
    median: median(samplesNs),
    ci95: medianInterval(samplesNs),
    min: Math.min(...samplesNs),
    stop,
  };
}

/** The warning that a row's samples call for, if any. Too few to have an interval say nothing of themselves. */
export function noiseOf(samplesNs: readonly number[], clockNs?: number): BenchRow['warnings'] {
  return (spread(samplesNs, clockNs) ?? 0) > NOISY ? ['noisy'] : [];
}
