// sampling.ts: how the rows of a group are timed: interleaved sample by sample, until all have settled.
import type { GqaDevice } from '../src/index.ts';
import { shuffled, uniform } from './random.ts';
import type { RowCheck, RowHost, RowParams, RowTime } from './schema.ts';
import { median, medianInterval } from './stats.ts';
import type { Subject } from './subject.ts';
import type { PassTimer } from './timer.ts';

/** When to take samples and when to stop. */
export interface SamplingOptions {
  readonly seed: number;
  /** Samples per row; without it as many as it takes, up to `maxTimeMs` for a group. */
  readonly reps?: number;
  readonly maxTimeMs: number;
  readonly signal?: AbortSignal;
}

/** Half the interval of the median may be this share of it when a row counts as settled. */
const SETTLED = 0.02;
const MIN_SAMPLES = 7;

const SAMPLE_NS = { gpu: 2e6, software: 2e7 };

/** What is known of a row while it is sampled: nanoseconds per step. */
export interface Sampled {
  readonly samplesNs: number[];
}

/** A row on its way: its subject and its samples. */
export interface Running extends Sampled {
  readonly params: RowParams;
  readonly subject: Subject;
  readonly check: RowCheck | null;
  readonly tuned: boolean;
  readonly firstNs: number;
  readonly host: RowHost;
  readonly stepsPerSample: number;
  readonly wallNs: number[];
}

const MAX_STEPS = 4096;

/** The least nanoseconds of a sample: many of the clock's steps, and long against the fixed cost of a submission. */
export function sampleSpan(device: GqaDevice, timer: PassTimer): number {
  return Math.max(device.facts.software ? SAMPLE_NS.software : SAMPLE_NS.gpu, 100 * timer.stepNs);
}

/** Grows the steps of a sample until it spans long enough; also warms up. */
export function warmUp(device: GqaDevice, timer: PassTimer, subject: Subject): Promise<number> {
  return growSteps(
    sampleSpan(device, timer),
    async (steps) => (await timer.time((pass) => recordSteps(subject, pass, steps))).ns,
  );
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

/** Records so many steps of a subject. */
export function recordSteps(subject: Subject, pass: GPUComputePassEncoder, steps: number): void {
  for (let i = 0; i < steps; i++) subject.record(pass);
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
): AsyncGenerator<string, RowTime['stop']> {
  const next = uniform(options.seed);
  const start = performance.now();
  for (let round = 1; ; round++) {
    for (const run of shuffled(running, next)) {
      // Later a round is finished first: the rows of a group have the same number of samples.
      if (round === 1) options.signal?.throwIfAborted();
      await take(run);
    }
    yield `round ${round}`;
    if (options.signal?.aborted) return 'interrupted';
    if (running.length === 0 || (options.reps !== undefined && round >= options.reps)) return 'reps';
    if (options.reps === undefined && round >= MIN_SAMPLES && running.every(settled)) return 'converged';
    if (options.reps === undefined && round >= MIN_SAMPLES && performance.now() - start > options.maxTimeMs)
      return 'time';
  }
}

/** Times one sample of a row and adds it. */
export async function takeSample(timer: PassTimer, run: Running): Promise<void> {
  const { ns, wallNs } = await timer.time((pass) => recordSteps(run.subject, pass, run.stepsPerSample));
  run.samplesNs.push(ns / run.stepsPerSample);
  run.wallNs.push(wallNs / run.stepsPerSample);
}

/** Half the 95 % interval of the median, as a share of it. */
export function spread(samplesNs: readonly number[]): number {
  const [low, high] = medianInterval(samplesNs);
  return (high - low) / 2 / median(samplesNs);
}

function settled({ samplesNs }: Sampled): boolean {
  return spread(samplesNs) <= SETTLED;
}
