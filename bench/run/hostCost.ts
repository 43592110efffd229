// hostCost.ts: what a step costs the thread that prepares it: planning, recording one layer, submitting a whole model. Its own time, not the GPU's.
import { cacheLayout, checkShape, type GqaDevice } from '../../src/index.ts';
import { planDecode } from '../../src/decode/plan.ts';
import { planContext } from '../../src/decode/planContext.ts';
import { uniform } from '../../src/numbers/random.ts';
import { LEAST_CLOCKS, type Recorder } from './sampling.ts';
import { median } from '../schema/stats.ts';
import type { Target } from './target.ts';
import { smallestStep, type HostClock } from './wallClock.ts';

const CALLS = { least: 256, most: 16_384 };
const ROUNDS = 9;

/**
 * Median over rounds of the mean time of a call, in ns; null where the clock cannot tell it. A round has so many calls
 * that it spans many steps of the clock. The first round lets the compiler see the code.
 */
export function perCall(act: () => void, clock: Pick<HostClock, 'now'> = performance): number | null {
  const least = LEAST_CLOCKS * smallestStep(clock);
  const round = (calls: number) => {
    const start = clock.now();
    for (let i = 0; i < calls; i++) act();
    return (clock.now() - start) * 1e6;
  };
  let calls = CALLS.least;
  while (round(calls) < least && calls < CALLS.most) calls *= 4;
  const times = Array.from({ length: ROUNDS }, () => round(calls));
  const middle = median(times);
  return middle < least ? null : middle / calls;
}

/** Time to plan a row's step. */
export function planCost(target: Target): number | null {
  return perCall(() => target.replan());
}

/**
 * Time to record a step into an open pass, which is then thrown away unsubmitted: validation by the WebGPU implementation
 * included.
 */
export function recordCost({ gpu }: GqaDevice, target: Recorder): number | null {
  const encoder = gpu.createCommandEncoder({ label: 'host cost' });
  const pass = encoder.beginComputePass({ label: 'host cost' });
  const ns = perCall(() => target.record(pass));
  pass.end();
  return ns;
}

/** Steps that are recorded and submitted again and again. */
export interface Stepped {
  /** Records a step. */
  readonly record: (pass: GPUComputePassEncoder) => void;
  /** Forgets what was recorded, once it is done. */
  readonly forget: () => void;
}

const SUBMITS = 8;

/**
 * Time to plan and record a step, and its share of a submission of so many, up to when `submit` returns: in ns, null where the clock
 * cannot tell it. The least of a step and the least of the rest, since whatever else runs only adds; waits between submissions count nowhere.
 */
export async function submitCost(
  { gpu }: GqaDevice,
  { record, forget }: Stepped,
  steps: number,
  clock: Pick<HostClock, 'now'> = performance,
): Promise<number | null> {
  let [ofStep, ofRest] = [Infinity, Infinity];
  for (let i = 0; i < SUBMITS; i++) {
    const start = clock.now();
    const encoder = gpu.createCommandEncoder({ label: 'host cost' });
    const pass = encoder.beginComputePass({ label: 'host cost' });
    const begun = clock.now();
    let last = begun;
    for (let step = 0; step < steps; step++) {
      record(pass);
      const now = clock.now();
      ofStep = Math.min(ofStep, now - last);
      last = now;
    }
    pass.end();
    gpu.queue.submit([encoder.finish()]);
    ofRest = Math.min(ofRest, clock.now() - last + begun - start);
    await gpu.queue.onSubmittedWorkDone();
    forget();
  }
  const ns = (ofStep + ofRest / steps) * 1e6;
  return ns < LEAST_CLOCKS * smallestStep(clock) ? null : ns;
}

const BATCH = 64;
const CAPACITY = 8192;

/** Time to plan a step of 64 sequences of unequal length (32 query heads, 8 KV heads) on this device. */
export function plan64Cost({ facts }: GqaDevice): number | null {
  const common = { batch: BATCH, numKvHeads: 8, headDim: 128 };
  const shape = checkShape({ ...common, numQHeads: 32 });
  const layout = cacheLayout({ ...common, capacity: CAPACITY, kType: 'f16' });
  const context = planContext(shape, layout, facts);
  const next = uniform(1);
  const kvLens = Array.from({ length: BATCH }, () => 1 + Math.floor(next() * CAPACITY));
  return perCall(() => void planDecode(context, kvLens));
}
