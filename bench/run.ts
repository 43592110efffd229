// run.ts: a benchmark run: check every row, then time the rows of a group interleaved, sample by sample.
import { GqaError, type GqaDevice } from '../src/index.ts';
import { measureCeiling } from './ceiling.ts';
import { describeContext, type RunContext } from './context.ts';
import { failedRow, timedRow } from './rowResult.ts';
import { rowGroups, variantName, type RowOptions } from './rows.ts';
import {
  sampleInterleaved,
  spread,
  takeSample,
  warmUp,
  type Running,
  type SamplingOptions,
} from './sampling.ts';
import {
  SCHEMA,
  SUITE,
  type BenchResult,
  type BenchRow,
  type CeilingContext,
  type RowParams,
  type Warning,
} from './schema.ts';
import { createSubject, type Subject } from './subject.ts';
import { PassTimer, type TimerHooks } from './timer.ts';

/** What to run and for how long. */
export interface BenchOptions extends RowOptions, SamplingOptions, TimerHooks {
  readonly check: boolean;
  readonly context: RunContext;
}

/** What a run reports while it goes on. */
export type BenchEvent =
  | { readonly type: 'progress'; readonly text: string; readonly done: number; readonly total: number }
  | { readonly type: 'ceiling'; readonly ceiling: CeilingContext }
  | { readonly type: 'row'; readonly row: BenchRow };

/** Runs the benchmark, yields progress and rows as they finish, and returns the whole result. */
export async function* runBench(
  device: GqaDevice,
  options: BenchOptions,
): AsyncGenerator<BenchEvent, BenchResult> {
  const groups = rowGroups(options);
  const timer = new PassTimer(device, options);
  const rows: BenchRow[] = [];
  try {
    yield { type: 'progress', text: 'measuring the read ceiling', done: 0, total: groups.length };
    await timer.calibrate();
    const ceiling = await measureCeiling(device, timer);
    yield { type: 'ceiling', ceiling };
    for (const [index, group] of groups.entries()) {
      for await (const event of runGroup(device, timer, group, options)) {
        if (event.type === 'row') rows.push(event.row);
        yield event.type === 'progress' ? { ...event, done: index, total: groups.length } : event;
      }
    }
    const warnings = [...hiddenWarnings(timer), ...timerWarnings(timer, rows), ...noiseWarnings(rows)];
    const context = describeContext(device, options, timer, ceiling, warnings);
    return { schema: SCHEMA, suite: SUITE, context, results: rows };
  } finally {
    timer.destroy();
  }
}

function hiddenWarnings({ hidden }: PassTimer): Warning[] {
  if (hidden === 0) return [];
  return [{ code: 'hidden', text: `the tab was hidden during ${hidden} samples; they were taken again` }];
}

function timerWarnings(timer: PassTimer, rows: readonly BenchRow[]): Warning[] {
  if (timer.demoted) {
    const text =
      'the GPU timestamps said far less than the wall clock; all further times are by the wall clock';
    return [{ code: 'timer-broken', text }];
  }
  const spans = rows.flatMap((row) => (row.time ? [row.time.min * row.time.stepsPerSample] : []));
  const coarse = spans.some((span) => timer.stepNs > span / 100);
  if (!coarse) return [];
  const text = `timer step is ${timer.stepNs} ns, more than 1 % of the shortest sample; trust ratios, not single times`;
  return [{ code: 'timer-coarse', text }];
}

function noiseWarnings(rows: readonly BenchRow[]): Warning[] {
  const noisy = rows.filter((row) => row.warnings.includes('noisy'));
  if (noisy.length === 0) return [];
  const percent = Math.round(100 * Math.max(...noisy.map((row) => spread(row.time!.samplesNs))));
  const text = `${noisy.length} of ${rows.length} rows did not settle (a median known only to ±${percent} %): the machine is busy or slows down; give it more time or fewer other programs`;
  return [{ code: 'noisy', text }];
}

async function* runGroup(
  device: GqaDevice,
  timer: PassTimer,
  group: readonly RowParams[],
  options: BenchOptions,
): AsyncGenerator<BenchEvent> {
  const running: Running[] = [];
  const finished = new Map<RowParams, BenchRow>();
  try {
    for (const params of group) {
      yield progress(`preparing ${variantName(params)} @ d${params.depth}`);
      options.signal?.throwIfAborted();
      const prepared = await prepare(device, timer, params, options);
      if ('samplesNs' in prepared) running.push(prepared);
      else finished.set(params, prepared);
    }
    const sampling = sampleInterleaved(running, (run) => takeSample(timer, run), options);
    let step = await sampling.next();
    for (; !step.done; step = await sampling.next()) yield progress(`d${group[0]!.depth}: ${step.value}`);
    for (const run of running) finished.set(run.params, timedRow(run, step.value));
  } finally {
    for (const { subject } of running) subject.destroy();
  }
  for (const params of group) yield { type: 'row', row: finished.get(params)! };
}

function progress(text: string): BenchEvent {
  return { type: 'progress', text, done: 0, total: 0 };
}

/** Allocates, runs cold, checks and warms up one row; a row that cannot run or is wrong ends here, without a time. */
async function prepare(
  device: GqaDevice,
  timer: PassTimer,
  params: RowParams,
  options: BenchOptions,
): Promise<Running | BenchRow> {
  let subject: Subject;
  try {
    subject = await createSubject(device, params, options.seed);
  } catch (error) {
    if (error instanceof GqaError && error.code !== 'device-lost') return failedRow(params, error.message);
    throw error;
  }
  try {
    const { wallNs: coldNs } = await timer.time((pass) => subject.record(pass));
    const check = options.check ? await subject.check() : null;
    if (check && !check.pass) {
      subject.destroy();
      const text = `wrong result: error ${check.maxAbsErr.toExponential(2)}, bound ${check.bound.toExponential(2)}`;
      return { ...failedRow(params, text), check };
    }
    const stepsPerSample = await warmUp(device, timer, subject);
    return { params, subject, check, coldNs, stepsPerSample, samplesNs: [], wallNs: [] };
  } catch (error) {
    subject.destroy();
    throw error;
  }
}
