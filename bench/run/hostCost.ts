// hostCost.ts: what a step costs the thread that prepares it: planning, and recording one layer. Its own time, not the GPU's.
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
