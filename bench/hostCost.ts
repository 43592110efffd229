// hostCost.ts: what a step costs the thread that prepares it: planning, and recording one layer. Its own time, not the GPU's.
import { cacheLayout, checkShape, planContext, planDecode, type GqaDevice } from '../src/index.ts';
import { uniform } from './random.ts';
import { median } from './stats.ts';
import type { Subject } from './subject.ts';

const CALLS = 256;
const ROUNDS = 9;

/** Median over rounds of the mean time of a call, in ns. The first round lets the compiler see the code. */
function perCall(calls: number, act: () => void): number {
  const means: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const start = performance.now();
    for (let i = 0; i < calls; i++) act();
    if (round > 0) means.push(((performance.now() - start) * 1e6) / calls);
  }
  return median(means);
}

/** Time to plan a row's step. */
export function planCost(subject: Subject): number {
  return perCall(CALLS, () => subject.replan());
}

/**
 * Time to record a row's step for one layer into an open pass, which is then thrown away unsubmitted: validation by the
 * WebGPU implementation included.
 */
export function recordCost({ device }: GqaDevice, subject: Subject): number {
  const encoder = device.createCommandEncoder({ label: 'host cost' });
  const pass = encoder.beginComputePass({ label: 'host cost' });
  const ns = perCall(CALLS, () => subject.record(pass));
  pass.end();
  return ns;
}

const BATCH = 64;
const CAPACITY = 8192;

/** Time to plan a step of 64 sequences of unequal length (32 query heads, 8 KV heads) on this device. */
export function plan64Cost({ facts }: GqaDevice): number {
  const common = { batch: BATCH, numKvHeads: 8, headDim: 128 };
  const shape = checkShape({ ...common, numQHeads: 32 });
  const layout = cacheLayout({ ...common, capacity: CAPACITY, kType: 'f16' });
  const context = planContext(shape, layout, facts);
  const next = uniform(1);
  const kvLens = Array.from({ length: BATCH }, () => 1 + Math.floor(next() * CAPACITY));
  return perCall(CALLS, () => void planDecode(context, kvLens));
}
