// run.ts: a benchmark run: check every row, then time the rows of a group interleaved, sample by sample.
import { GqaError, type GqaDevice } from '../src/index.ts';
import { measureCeiling } from './ceiling.ts';
import { describeContext, type RunContext } from './context.ts';
import { shuffled, uniform } from './random.ts';
import { rowGroups, rowId, variantName, type RowOptions } from './rows.ts';
import { SCHEMA, SUITE, type BenchResult, type BenchRow, type RowCheck, type RowParams, type RowTime, type Warning } from './schema.ts';
import { median, medianInterval } from './stats.ts';
import { createSubject, type Subject } from './subject.ts';
import { PassTimer } from './timer.ts';

/** What to run and for how long. */
export interface BenchOptions extends RowOptions {
  readonly seed: number;
  readonly check: boolean;
  /** Samples per row; without it as many as it takes, up to `maxTimeMs` for a group. */
  readonly reps?: number;
  readonly maxTimeMs: number;
  readonly context: RunContext;
  readonly signal?: AbortSignal;
  /** Called around every wait for the device; see PassTimer. */
  readonly quiet?: () => () => void;
  /** In a browser: waits while the tab is hidden, and says whether it was hidden since the last call. */
  readonly guard?: { wait(): Promise<void>; interrupted(): boolean };
}

/** What a run reports while it goes on. */
export type BenchEvent =
  | { readonly type: 'progress'; readonly text: string; readonly done: number; readonly total: number }
  | { readonly type: 'row'; readonly row: BenchRow };

/** Half the interval of the median may be this share of it when a row counts as settled. */
const SETTLED = 0.02;
const NOISY = 0.05;
const MIN_SAMPLES = 7;

/** A sample's span: long enough that the clock's step and fixed costs of a submission do not matter. */
const SAMPLE_NS = { gpu: 2e6, software: 2e7 };

/** Runs the benchmark, yields progress and rows as they finish, and returns the whole result. */
export async function* runBench(device: GqaDevice, options: BenchOptions): AsyncGenerator<BenchEvent, BenchResult> {
  const groups = rowGroups(options);
  const timer = new PassTimer(device, options.quiet);
  const rows: BenchRow[] = [];
  try {
    yield { type: 'progress', text: 'measuring the read ceiling', done: 0, total: groups.length };
    const ceiling = await measureCeiling(device, timer);
    for (const [index, group] of groups.entries()) {
      for await (const event of runGroup(device, timer, group, options)) {
        if (event.type === 'row') rows.push(event.row);
        yield event.type === 'row' ? event : { ...event, done: index, total: groups.length };
      }
    }
    const warnings = [...timerWarnings(timer, rows), ...noiseWarnings(rows)];
    const context = describeContext(device, options, timer, ceiling, warnings);
    return { schema: SCHEMA, suite: SUITE, context, results: rows };
  } finally {
    timer.destroy();
  }
}

function timerWarnings(timer: PassTimer, rows: readonly BenchRow[]): Warning[] {
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

/** A row on its way: its subject and its samples. */
interface Running {
  readonly params: RowParams;
  readonly subject: Subject;
  readonly check: RowCheck | null;
  readonly coldNs: number;
  readonly stepsPerSample: number;
  readonly samplesNs: number[];
  readonly wallNs: number[];
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
    const stop = yield* sampleInterleaved(timer, running, options);
    for (const run of running) finished.set(run.params, timedRow(run, stop));
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

const MAX_STEPS = 4096;

/** Grows the steps of a sample until it spans long enough, at least 100 of the clock's steps; also warms up. */
async function warmUp(device: GqaDevice, timer: PassTimer, subject: Subject): Promise<number> {
  const span = Math.max(device.facts.software ? SAMPLE_NS.software : SAMPLE_NS.gpu, 100 * timer.stepNs);
  let steps = 1;
  for (;;) {
    const { ns } = await timer.time((pass) => recordSteps(subject, pass, steps));
    if (ns >= span || steps >= MAX_STEPS) return steps;
    steps = Math.min(MAX_STEPS, Math.max(steps + 1, Math.ceil((steps * span * 1.1) / Math.max(ns, span / 16))));
  }
}

function recordSteps(subject: Subject, pass: GPUComputePassEncoder, steps: number): void {
  for (let i = 0; i < steps; i++) subject.record(pass);
}

/** One sample of every row per round, in shuffled order, until all have settled, or time or the wanted count is up. */
async function* sampleInterleaved(
  timer: PassTimer,
  running: readonly Running[],
  options: BenchOptions,
): AsyncGenerator<BenchEvent, RowTime['stop']> {
  const next = uniform(options.seed);
  const start = performance.now();
  for (let round = 1; ; round++) {
    for (const run of shuffled(running, next)) {
      options.signal?.throwIfAborted();
      await takeSample(timer, run, options.guard);
    }
    const depth = running[0]?.params.depth;
    yield progress(`d${depth}: round ${round}`);
    if (running.length === 0 || (options.reps !== undefined && round >= options.reps)) return 'reps';
    if (options.reps === undefined && round >= MIN_SAMPLES && running.every(settled)) return 'converged';
    if (options.reps === undefined && round >= MIN_SAMPLES && performance.now() - start > options.maxTimeMs) return 'time';
  }
}

/** A sample that a hidden tab touched is taken again. */
async function takeSample(timer: PassTimer, run: Running, guard: BenchOptions['guard']): Promise<void> {
  for (;;) {
    await guard?.wait();
    guard?.interrupted();
    const { ns, wallNs } = await timer.time((pass) => recordSteps(run.subject, pass, run.stepsPerSample));
    if (guard?.interrupted()) continue;
    run.samplesNs.push(ns / run.stepsPerSample);
    run.wallNs.push(wallNs / run.stepsPerSample);
    return;
  }
}

function spread(samplesNs: readonly number[]): number {
  const [low, high] = medianInterval(samplesNs);
  return (high - low) / 2 / median(samplesNs);
}

function settled(run: Running): boolean {
  return spread(run.samplesNs) <= SETTLED;
}

function rowBase(params: RowParams) {
  return { id: rowId(params), test: `attn @ d${params.depth}`, variant: variantName(params), params };
}

function failedRow(params: RowParams, error: string): BenchRow {
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

function timedRow(run: Running, stop: RowTime['stop']): BenchRow {
  const { plan, cold, workingSetBytes } = run.subject;
  const { samplesNs, wallNs, coldNs, stepsPerSample } = run;
  const noisy = spread(samplesNs) > NOISY;
  return {
    ...rowBase(run.params),
    splits: plan.numSplits,
    splitLen: plan.splitLen,
    bytes: { kvRead: plan.bytes.kv, partial: plan.bytes.partial },
    cold,
    workingSetBytes,
    check: run.check,
    time: {
      stepsPerSample,
      samplesNs,
      wallNs,
      coldNs,
      median: median(samplesNs),
      ci95: medianInterval(samplesNs),
      min: Math.min(...samplesNs),
      stop,
    },
    warnings: noisy ? ['noisy'] : [],
  };
}
