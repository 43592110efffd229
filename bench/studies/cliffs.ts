// cliffs.ts: does a step's time jump where its plan changes in kind? Both sides of such lengths, timed in turn.
import { GqaError, type DeviceFacts, type GqaDevice, type Tuning } from '../../src/index.ts';
import { planContext } from '../../src/decode/planContext.ts';
import { probedFacts } from '../../src/decode/probe.ts';
import { tunedFor } from '../../src/decode/tuning.ts';
import { createWorkload, type Workload } from '../run/workload.ts';
import { shuffled, uniform } from '../../src/numbers/random.ts';
import { wrongText } from '../check/rowCheck.ts';
import { timePerStep, warmUp } from '../run/sampling.ts';
import type { RowParams } from '../schema/schema.ts';
import { median, ratioInterval } from '../schema/stats.ts';
import { createTarget, type Target } from '../run/target.ts';
import { findThresholds, lensAt, loadAt, steepest, type LoadShape, type Threshold } from './thresholds.ts';
import { PassTimer, type TimerHooks } from '../run/timer.ts';

/** Time may grow by so much more than the keys do, or shrink by so much while they grow. */
export const MOST_JUMP = 1.15;

/** As in a search (tune.ts): many short-lived kernels, each with as many bound steps. */
const MOST_COPIES = 256;

export interface CliffOptions extends TimerHooks {
  readonly loads: readonly LoadShape[];
  /** Longest length of a sequence. */
  readonly upTo: number;
  readonly cache: RowParams['cache'];
  /** What the copies of a cache exceed together. */
  readonly rotatedBytes: number;
  readonly seed: number;
  readonly tuning?: Tuning;
  /** Aborts between two thresholds. */
  readonly signal?: AbortSignal;
  /** Called after each threshold, as in a search (tune.ts). */
  readonly collect?: () => Promise<void>;
}

/** What was found for a load: how many thresholds there are, and the steepest ones timed. */
export interface LoadCliffs {
  readonly load: LoadShape;
  readonly thresholds: number;
  readonly cliffs: readonly Cliff[];
}

/** Both sides of a threshold: samples in ns per step. */
export interface Cliff {
  readonly threshold: Threshold;
  readonly beforeNs: readonly number[];
  readonly afterNs: readonly number[];
}

/**
 * Times both sides of the steepest thresholds of every load; yields each load as it is finished. Throws GqaError for a
 * wrong result: nothing is timed before both sides agree with float64.
 */
export async function* measureCliffs(device: GqaDevice, options: CliffOptions): AsyncGenerator<LoadCliffs> {
  const timer = new PassTimer(device, options);
  try {
    await timer.calibrate();
    const { facts } = await probedFacts(device);
    for (const load of options.loads) {
      const found = findThresholds(load, options.upTo, (capacity) =>
        contextAt(device, facts, load, capacity, options.tuning),
      );
      const cliffs: Cliff[] = [];
      for (const threshold of steepest(found)) {
        options.signal?.throwIfAborted();
        cliffs.push(await measureThreshold(device, timer, threshold, options));
        await options.collect?.();
      }
      yield { load, thresholds: found.length, cliffs };
    }
  } finally {
    timer.destroy();
  }
}

function contextAt(
  { gpu }: GqaDevice,
  facts: DeviceFacts,
  load: LoadShape,
  capacity: number,
  tuning: Tuning | undefined,
) {
  const { shape, layout } = loadAt(load, capacity);
  const tuned = tuning && tunedFor(tuning, gpu.adapterInfo, facts, shape, layout);
  return planContext(shape, layout, facts, tuned ? { tuned } : {});
}

async function measureThreshold(
  device: GqaDevice,
  timer: PassTimer,
  threshold: Threshold,
  options: CliffOptions,
): Promise<Cliff> {
  const { load, next } = threshold;
  const rotation = { rotatedBytes: options.rotatedBytes, mostCopies: MOST_COPIES };
  const workload = await createWorkload(
    device,
    workloadParams(load, next, options.cache),
    options.seed,
    rotation,
  );
  const sides: Prepared[] = [];
  try {
    for (const length of [threshold.length, next]) {
      sides.push(await prepare(device, timer, workload, threshold, length, options.tuning));
    }
    await sample(timer, sides, keyGrowth(threshold), options.seed);
    const [before, after] = sides;
    return { threshold, beforeNs: before!.samplesNs, afterNs: after!.samplesNs };
  } finally {
    for (const { target } of sides) target.destroy();
    workload.destroy();
  }
}

function workloadParams(load: LoadShape, longest: number, cache: RowParams['cache']) {
  const { heads, kvHeads, headDim, type, shares } = load;
  return {
    model: 'custom',
    heads,
    kvHeads,
    headDim,
    batch: shares.length,
    depth: longest,
    capacity: longest,
    requests: lensAt(load, longest)
      .map((len) => `1q1s${len}`)
      .join('_'),
    kType: type,
    vType: type,
    cache,
  };
}

/** One side of a threshold, ready to be timed. */
interface Prepared {
  readonly target: Target;
  readonly steps: number;
  readonly samplesNs: number[];
}

async function prepare(
  device: GqaDevice,
  timer: PassTimer,
  workload: Workload,
  { load }: Threshold,
  length: number,
  tuning: Tuning | undefined,
): Promise<Prepared> {
  const target = await createTarget(
    device,
    workload,
    { ...(tuning && { tuning }) },
    { kvLens: lensAt(load, length) },
  );
  try {
    const check = await target.check();
    if (!check.pass) {
      const where = `${loadName(load)}, ${length} keys`;
      throw new GqaError('wrong-result', `${where}: wrong result: ${wrongText(check)}`);
    }
    return { target, steps: await warmUp(device, timer, target), samplesNs: [] };
  } catch (error) {
    target.destroy();
    throw error;
  }
}

/** After so many rounds the verdict is looked at; seldom, because every look is a chance to be misled by noise. */
const LOOKS = [9, 18, 36, 72, 144];

/** A sample of each side per round, in shuffled order, until a look finds the verdict clear. */
async function sample(
  timer: PassTimer,
  sides: readonly Prepared[],
  growth: number,
  seed: number,
): Promise<void> {
  const next = uniform(seed);
  for (let round = 1; round <= LOOKS.at(-1)!; round++) {
    for (const { target, steps, samplesNs } of shuffled(sides, next)) {
      samplesNs.push(await timePerStep(timer, target, steps));
    }
    const [before, after] = sides.map(({ samplesNs }) => samplesNs);
    if (LOOKS.includes(round) && jumpOf(before!, after!, growth).verdict !== 'unclear') return;
  }
}

/** How much more keys the longer side has: above 1. */
export function keyGrowth({ before, after }: Threshold): number {
  const keys = (lens: readonly number[]) => lens.reduce((sum, len) => sum + len, 0);
  return keys(after.kvLens) / keys(before.kvLens);
}

export interface Jump {
  /** Time per key after over that before. */
  readonly perKey: number;
  readonly interval: readonly [number, number];
  /** What is judged: `perKey`, or time before over time after where that is more. */
  readonly jump: number;
  readonly verdict: 'cliff' | 'smooth' | 'unclear';
}

/**
 * What the samples of both sides come to. Time may stay as it is (all fixed cost) or grow as the keys do (all per key) and
 * anything between. A jump is what goes beyond that: time per key that rises, or time that falls although there is more
 * to do, so that the shorter side would have done better with the plan of the longer one. `cliff` and `smooth` when the
 * whole 95 % interval lies past or within MOST_JUMP.
 */
export function jumpOf(beforeNs: readonly number[], afterNs: readonly number[], growth: number): Jump {
  const ratio = median(afterNs) / median(beforeNs);
  const [low, high] = ratioInterval(beforeNs, afterNs) ?? [0, Infinity];
  const least = Math.max(low / growth, 1 / high);
  const most = Math.max(high / growth, 1 / low);
  return {
    perKey: ratio / growth,
    interval: [low / growth, high / growth],
    jump: Math.max(ratio / growth, 1 / ratio),
    verdict: least > MOST_JUMP ? 'cliff' : most <= MOST_JUMP ? 'smooth' : 'unclear',
  };
}

/** `32/8 f16 × 4`. */
export function loadName({ heads, kvHeads, type, shares }: LoadShape): string {
  return `${heads}/${kvHeads} ${type}${shares.length > 1 ? ` × ${shares.length} ragged` : ''}`;
}
