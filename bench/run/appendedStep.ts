// appendedStep.ts: a step that appends its own tokens before it attends to them, on each copy of a workload's caches.
import { createStorage, type ContextOptions, type DecoderOptions, type GqaDevice } from '../../src/index.ts';
import type { AppendInputs } from './appendInputs.ts';
import { countDispatches } from './countDispatches.ts';
import { createStep, type TimedStep } from './timedStep.ts';
import type { Workload } from './workload.ts';

/** Binds appends and one decoder's step to all copies. Each append goes where the one before it went: the caches grow no longer. */
export async function createAppendedStep(
  device: GqaDevice,
  workload: Workload,
  inputs: AppendInputs,
  options: ContextOptions & Pick<DecoderOptions, 'tuning'>,
): Promise<TimedStep> {
  const { problem, cache, copies } = workload;
  const { held, args } = inputs;
  const step = await createStep(device, workload, options, problem.kvLens);
  try {
    const appends = await cache.bindAppends(
      Array.from({ length: copies }, (_, layer) => ({ ...args, layer })),
    );
    // Of all copies at once, and so seldom: a sequence alone is cut without work for the device.
    const takeBack = () => held.forEach((kvLen, sequence) => cache.truncate(kvLen, { sequence }));
    const append = (pass: GPUComputePassEncoder, copy: number) => {
      if (cache.lengths.live(copy).some((kvLen, b) => kvLen > held[b]!)) takeBack();
      appends[copy]!.record(pass);
    };
    const count = countDispatches(device, { record: (pass) => append(pass, 0) });
    const names = Array.from({ length: count }, () => 'append_kv');
    return {
      ...step,
      plan: { ...step.plan, dispatches: [...names, ...step.plan.dispatches] },
      record(pass, copy) {
        append(pass, copy);
        step.record(pass, copy);
      },
      async beforeCheck(copy) {
        await overwrite(device, workload, inputs, copy);
      },
    };
  } catch (error) {
    step.destroy();
    throw error;
  }
}

/** Puts zeros where a copy's append goes, or rows of one before would pass for its own, and queries that are not turned yet into `q`. */
async function overwrite(
  device: GqaDevice,
  { problem, cache, q }: Workload,
  inputs: AppendInputs,
  copy: number,
): Promise<void> {
  const { held } = inputs;
  const { batch, numKvHeads, qLen: numTokens, headDim, vHeadDim } = problem;
  const zeros = (name: string, dim: number) =>
    createStorage(device, name, batch * numKvHeads * numTokens * dim * 4);
  const [k, v] = [zeros('zeros of k', headDim), zeros('zeros of v', vHeadDim)];
  try {
    cache.truncate(held); // all at once: appends that were recorded to be counted, not submitted, are missed no longer
    await cache.append({ layer: copy, k, v, numTokens });
    cache.truncate(held);
    device.gpu.queue.writeBuffer(q, 0, inputs.q);
  } finally {
    k.destroy();
    v.destroy();
  }
}
