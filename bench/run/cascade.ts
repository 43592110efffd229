// cascade.ts: a step of sequences that share a prefix, as a cascade: the prefix read once for all, their own keys apart, both merged.
import {
  bindMerge,
  createDecoder,
  createStorage,
  type ContextOptions,
  type DecoderOptions,
  type DecodeStep,
  type GqaDevice,
} from '../../src/index.ts';
import { variantName } from '../../src/kernels/fused.ts';
import type { TimedStep } from './timedStep.ts';
import type { Workload } from './workload.ts';

/** Prepares the step on each copy of a workload's caches. To the prefix, rows of all sequences are positions of the first one. */
export async function createCascade(
  device: GqaDevice,
  { problem, cache, copies, q, o, lse }: Workload,
  options: ContextOptions & Pick<DecoderOptions, 'tuning'>,
  prefix: number,
): Promise<TimedStep> {
  const { batch, numQHeads, headDim, kvLens } = problem;
  const made: { destroy(): void }[] = [];
  const keep = <T extends { destroy(): void }>(resource: T): T => {
    made.push(resource);
    return resource;
  };
  const destroy = () => {
    for (const resource of made.splice(0)) resource.destroy();
  };
  try {
    const packed = { cache, numQHeads, q: { layout: 'packed' }, o: { layout: 'packed' } } as const;
    const common = keep(await createDecoder(device, { ...packed, ...options, qLen: batch, causal: false }));
    const own = keep(await createDecoder(device, { ...packed, ...options }));
    const states = keep(createStorage(device, 'states', 2 * o.size));
    const sums = keep(createStorage(device, 'sums', 2 * lse.size));
    const halves = (n: number) => ({ o: half(states, n), lse: half(sums, n) });
    const steps: DecodeStep[][] = [];
    for (let layer = 0; layer < copies; layer++) {
      steps.push([await common.bind({ layer, q, ...halves(0) }), await own.bind({ layer, q, ...halves(1) })]);
    }
    const rows = batch * numQHeads;
    const args = { numStates: 2, rows, headDim, statesO: states, statesLse: sums, o, lse };
    const merge = await bindMerge(device, args);
    const first = (count: number) => kvLens.map((_, b) => (b === 0 ? count : 0));
    const planCommon = () => common.plan({ kvLens: first(prefix), qLens: first(batch) });
    const planOwn = () => own.plan({ kvLens, firstKeys: kvLens.map(() => prefix) });
    const plans = [planCommon(), planOwn()] as const;
    return {
      plan: {
        kernel: plans[1].kernel,
        dispatches: [...plans[0].dispatches, ...plans[1].dispatches, 'merge'],
        numSplits: Math.max(...plans.map(({ numSplits }) => numSplits)),
        splitLen: plans[0].splitLen,
        bytes: {
          kv: plans[0].bytes.kv + plans[1].bytes.kv,
          partial: plans[0].bytes.partial + plans[1].bytes.partial,
        },
      },
      sizes: variantName(own.context.variant),
      replan() {
        planCommon();
        planOwn();
      },
      record(pass, layer) {
        steps[layer]!.forEach((step, n) => step.record(pass, plans[n]!));
        merge.record(pass);
      },
      destroy,
    };
  } catch (error) {
    destroy();
    throw error;
  }
}

function half(buffer: GPUBuffer, n: number) {
  return { buffer, offset: (n * buffer.size) / 2, size: buffer.size / 2 };
}
