// sampling.ts: how the rows of a group are timed: interleaved sample by sample, until all have settled.
import { GqaError, type GqaDevice } from '../../src/index.ts';
import { formatSignificant } from '../text/format.ts';
import { shuffled, uniform } from '../../src/numbers/random.ts';
import type { RowCheck, RowHost, RowParams, RowTime } from '../schema/schema.ts';
import { median, medianInterval, type Interval } from '../schema/stats.ts';
import type { Target } from './target.ts';
import type { PassTimer, RecordPass, Sample, TimerSource } from './timer.ts';

/** When to take samples and when to stop. */
export interface SamplingOptions {
  readonly seed: number;
  /** Samples per row; without it as many as it takes, up to `maxTimeMs` for a group. */
  readonly reps?: number;
  /** Default: so much for each row of a group as `SAMPLING_MS` says. */
  readonly maxTimeMs?: number;
  readonly signal?: AbortSignal;
}

/** Half the interval of the median may be this share of it when a row counts as settled. */
export const SETTLED = 0.02;
const MIN_SAMPLES = 7;

/** For the samples of a group: so much for each of its rows, at most so much for all. */
export const SAMPLING_MS = { row: 2000, most: 6000 };

const SAMPLE_NS = { gpu: 2e6, software: 2e7 };

/** A sample has to be so many times as long as its clock may be off, or it has no time. */
export const LEAST_CLOCKS = 20;

/** And is so many times as long where that takes no more than LONG_NS. */
const GOOD_CLOCKS = 100;
const LONG_NS = 1e9;

/** What is known of a row while it is sampled: nanoseconds per step. */
export interface Sampled {
  readonly samplesNs: number[];
  /** How far off the clock may put each of them. */
  clockNs?: number;
}

/** What records a step into a pass. */
export interface Recorder extends Pick<Target, 'record'> {
  /** The same as several passes, for submissions of their own: in one it would keep the device from all else for too long. */
  readonly passes?: readonly RecordPass[];
}

/** What is timed on its way: its target and its samples. */
export interface Timed extends Sampled {
  readonly target: Recorder;
  readonly stepsPerSample: number;
  readonly wallNs: number[];
  /** The clock that took the samples. */
  source?: TimerSource;
}

/** A row on its way. */
export interface Running extends Timed {
  readonly params: RowParams;
  readonly target: Target;
  readonly check: RowCheck | null;
  readonly tuned: boolean;
  readonly firstNs: number;
  /** Time per step of the last warm-up, in ns: all that is known of the row before its first sample. */
  readonly warmNs: number;
  readonly host: RowHost;
}

const MAX_STEPS = 4096;

/** The least nanoseconds of a sample: long against what the clock may be off and the fixed cost of a submission. */
export function sampleSpan(
  { facts }: { readonly facts: Pick<GqaDevice['facts'], 'software'> },
  { resolutionNs }: Pick<PassTimer, 'resolutionNs'>,
): number {
  const usual = facts.software ? SAMPLE_NS.software : SAMPLE_NS.gpu;
  const good = Math.min(GOOD_CLOCKS * resolutionNs, LONG_NS);
  return Math.max(usual, good, LEAST_CLOCKS * resolutionNs);
}

/** Grows the steps of a sample until it spans long enough; also warms up. `saw` gets the time per step of each try, in ns. */
export function warmUp(
  device: GqaDevice,
  timer: PassTimer,
  target: Recorder,
  saw?: (stepNs: number) => void,
): Promise<number> {
  return growSteps(sampleSpan(device, timer), async (steps) => {
    const { ns } = await timeSteps(timer, target, steps);
    saw?.(ns / steps);
    return ns;
  });
}

/** The number of steps whose time, by `time`, is at least `span`; all in nanoseconds. */
export async function growSteps(span: number, time: (steps: number) => Promise<number>): Promise<number> {
  let steps = 1;
  for (;;) {
    const ns = await time(steps);
    if (ns >= span || steps >= MAX_STEPS) return steps;
    steps = Math.min(
      MAX_STEPS,
      Math.max(steps + 1, Math.ceil((steps * span * 1.1) / Math.max(ns, span / 16))),
    );
  }
}

/** Records so many steps of a target. */
export function recordSteps(target: Recorder, pass: GPUComputePassEncoder, steps: number): void {
  for (let i = 0; i < steps; i++) target.record(pass);
}

/** Times so many steps of a target together. */
export function timeSteps(timer: PassTimer, target: Recorder, steps: number): Promise<Sample> {
  const { passes } = target;
  if (passes) return timer.time(Array.from({ length: steps }, () => passes).flat());
  return timer.time((pass) => recordSteps(target, pass, steps));
}

/** A round of samples that was taken. */
export interface Round {
  /** From 1. */
  readonly number: number;
  /** How much is done of the rounds that there will be at most: 0 to 1. */
  readonly share: number;
}

/** The most milliseconds that the samples of so many rows may take. */
export function mostSamplingMs(rows: number, { maxTimeMs }: Pick<SamplingOptions, 'maxTimeMs'>): number {
  return maxTimeMs ?? Math.min(SAMPLING_MS.row * rows, SAMPLING_MS.most);
}

/**
 * One sample of every row per round, in shuffled order, until all have settled, or time or the wanted count is up.
 * `take` adds a sample to its row; it may also take a row out of `running`. An abort ends it after the round under way, or
 * in the first round, when nothing is worth keeping yet, with the abort's reason.
 */
export async function* sampleInterleaved<Row extends Sampled>(
  running: readonly Row[],
  take: (row: Row) => Promise<void>,
  options: SamplingOptions,
): AsyncGenerator<Round, RowTime['stop']> {
  const next = uniform(options.seed);
  const start = performance.now();
  const mostMs = mostSamplingMs(running.length, options);
  const shareOf = (round: number) =>
    options.reps === undefined
      ? Math.min(1, round / MIN_SAMPLES, (performance.now() - start) / Math.max(1, mostMs))
      : Math.min(1, round / options.reps);
  for (let round = 1; ; round++) {
    for (const run of shuffled(running, next)) {
      // Later a round is finished first: the rows of a group have the same number of samples.
      if (round === 1) options.signal?.throwIfAborted();
      await take(run);
    }
    yield { number: round, share: shareOf(round) };
    if (options.signal?.aborted) return 'interrupted';
    // Fewer than there were rounds where samples of a clock that was given up were dropped.
    const fewest = Math.min(...running.map(({ samplesNs }) => samplesNs.length));
    if (running.length === 0 || (options.reps !== undefined && fewest >= options.reps)) return 'reps';
    if (options.reps === undefined && fewest >= MIN_SAMPLES && running.every(settled)) return 'converged';
    if (options.reps === undefined && fewest >= MIN_SAMPLES && performance.now() - start > mostMs)
      return 'time';
  }
}

/** Times one sample of a row and adds it. */
export async function takeSample(timer: PassTimer, run: Timed): Promise<void> {
  const { target, stepsPerSample, samplesNs, wallNs } = run;
  const sample = await timeSteps(timer, target, stepsPerSample);
  // Timestamps that were given up meanwhile are not to be mixed with what the wall clock says.
  if (run.source !== undefined && run.source !== sample.source) samplesNs.length = wallNs.length = 0;
  run.source = sample.source;
  run.clockNs = timer.resolutionNs / stepsPerSample;
  samplesNs.push(sample.ns / stepsPerSample);
  wallNs.push(sample.wallNs / stepsPerSample);
}

/** Times so many steps of a target; ns per step. Throws GqaError when that is too short for the timer's clock to tell. */
export async function timePerStep(timer: PassTimer, target: Recorder, steps: number): Promise<number> {
  const { ns } = await timeSteps(timer, target, steps);
  const fault = clockFault({
    stepsPerSample: steps,
    samplesNs: [ns / steps],
    clockNs: timer.resolutionNs / steps,
  });
  if (fault !== undefined) throw new GqaError('timer', fault);
  return ns / steps;
}

/** Why samples have no time, if their clock cannot tell one. */
export function clockFault({
  stepsPerSample,
  samplesNs,
  clockNs = 0,
}: Pick<Running, 'stepsPerSample' | 'samplesNs' | 'clockNs'>): string | undefined {
  const below = samplesNs.filter((ns) => !(ns > 0 && Number.isFinite(ns))).length;
  const span = median(samplesNs) * stepsPerSample;
  const off = clockNs * stepsPerSample;
  if (below === 0 && span >= LEAST_CLOCKS * off) return undefined;
  const what = 'below what this clock can tell';
  if (below > 0) return `${what}: it gave no time above 0 in ${below} of ${samplesNs.length} samples`;
  const ms = (ns: number) => `${formatSignificant(ns / 1e6, 3)} ms`;
  const sample = `a sample of ${stepsPerSample} steps takes ${ms(span)}`;
  return `${what}: ${sample}, less than ${LEAST_CLOCKS} times the ${ms(off)} that it may be off`;
}

/**
 * Half the 95 % interval of the median, or what its clock may be off, as a share of it; infinite where the median is no
 * time, null without an interval.
 */
export function spread(samplesNs: readonly number[], clockNs = 0): number | null {
  const half = halfWidth(samplesNs, clockNs);
  if (half === null) return null;
  const middle = median(samplesNs);
  return middle > 0 ? half / middle : Infinity;
}

/** Half the 95 % interval of the median, and at least what the clock may be off; null without an interval. */
export function halfWidth(samplesNs: readonly number[], clockNs = 0): number | null {
  return halfOf(medianInterval(samplesNs), clockNs);
}

/** Half an interval, and at least what the clock may be off; null without one. */
export function halfOf(interval: Interval | null, clockNs = 0): number | null {
  return interval && Math.max((interval[1] - interval[0]) / 2, clockNs);
}

function settled({ samplesNs, clockNs }: Sampled): boolean {
  const share = spread(samplesNs, clockNs);
  return share !== null && share <= SETTLED;
}
