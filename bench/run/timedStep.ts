// timedStep.ts: a decoder's step on each copy of a workload's caches.
import {
  createDecoder,
  type ContextOptions,
  type DecodePlan,
  type DecoderOptions,
  type GqaDevice,
} from '../../src/index.ts';
import { variantName } from '../../src/kernels/fused.ts';
import { featureOptionsOf } from '../../src/reference/problemFeatures.ts';
import type { Workload } from './workload.ts';

/** A step on each copy of a workload's caches, planned. */
export interface TimedStep {
  readonly plan: Pick<DecodePlan, 'kernel' | 'dispatches' | 'numSplits' | 'splitLen'> & {
    readonly bytes: Pick<DecodePlan['bytes'], 'kv' | 'partial'>;
  };
  /** The fused kernel's sizes in words. */
  readonly sizes: string;
  /** Plans the step again, as an engine does once per token. */
  replan(): void;
  /** Records the step on a copy. */
  record(pass: GPUComputePassEncoder, copy: number): void;
  /** Undoes what steps before have left for the next one on a copy, which is about to be checked. */
  beforeCheck?(copy: number): Promise<void>;
  destroy(): void;
}

/** Binds one decoder's step to all copies and plans it. */
export async function createStep(
  device: GqaDevice,
  { problem, cache, copies, q, o, lse, layerFeatures }: Workload,
  options: ContextOptions & Pick<DecoderOptions, 'tuning'>,
  kvLens: readonly number[],
): Promise<TimedStep> {
  const { numQHeads, qLen, causal } = problem;
  const features = featureOptionsOf(problem.features);
  const decoder = await createDecoder(device, { cache, numQHeads, qLen, causal, features, ...options });
  try {
    // At once: a wait for each of hundreds of copies is seconds in a browser.
    const steps = await decoder.bindLayers(
      Array.from({ length: copies }, (_, layer) => ({ layer, q, o, lse, ...layerFeatures })),
    );
    const { treeMasks } = problem.features ?? {};
    const planned = () => decoder.plan({ kvLens, ...(treeMasks && { treeMasks }) });
    const plan = planned();
    return {
      plan,
      sizes: variantName(decoder.context.variant),
      replan: () => void planned(),
      record: (pass, copy) => steps[copy]!.record(pass, plan),
      destroy: () => decoder.destroy(),
    };
  } catch (error) {
    decoder.destroy();
    throw error;
  }
}
