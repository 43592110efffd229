// target.ts: one kernel made ready to be timed on a workload: its bound steps, and its check against float64.
import {
  createDecoder,
  readBack,
  type ContextOptions,
  type DecodePlan,
  type DecoderOptions,
  type DecodeStep,
  type GqaDevice,
} from '../../src/index.ts';
import { variantName } from '../../src/kernels/fused.ts';
import type { Workload } from './workload.ts';
import type { RowCheck } from '../schema/schema.ts';
import { checkOf } from '../check/rowCheck.ts';
import { featureOptionsOf } from '../../src/reference/problemFeatures.ts';
import { verifyRows, type ExpectedRows } from './prefillCheck.ts';
import { expect64, verify, type Expected } from '../../src/reference/verify.ts';

/** A kernel ready to be timed. All its steps write the workload's one output, so that no two may overlap. */
export interface Target {
  readonly plan: DecodePlan;
  /** The fused kernel's sizes in words. */
  readonly sizes: string;
  readonly workingSetBytes: number;
  /** Plans the step again, as an engine does once per token. */
  replan(): void;
  /** Records one step on the next copy of the cache. */
  record(pass: GPUComputePassEncoder): void;
  /** Runs a step on the first and on the last copy and holds the output against float64. */
  check(): Promise<RowCheck>;
  destroy(): void;
}

/** Compiles a kernel for a workload and binds its steps. They attend to `kvLens` tokens, by default all that the caches hold. */
export async function createTarget(
  device: GqaDevice,
  workload: Workload,
  options: ContextOptions & Pick<DecoderOptions, 'tuning'>,
  kvLens?: readonly number[],
): Promise<Target> {
  const { problem, cache, copies, q, o, lse, layerFeatures } = workload;
  const { numQHeads, qLen, causal } = problem;
  const features = featureOptionsOf(problem.features);
  const decoder = await createDecoder(device, { cache, numQHeads, qLen, causal, features, ...options });
  try {
    const steps: DecodeStep[] = [];
    for (let layer = 0; layer < copies; layer++) {
      steps.push(await decoder.bind({ layer, q, o, lse, ...layerFeatures }));
    }
    const lens = { kvLens: kvLens ?? problem.kvLens };
    const plan = decoder.plan(lens);
    const expected = () => (kvLens ? expect64({ ...problem, kvLens }) : workload.expected());
    let next = 0;
    return {
      plan,
      sizes: variantName(decoder.context.variant),
      workingSetBytes: copies * plan.bytes.kv,
      replan: () => void decoder.plan(lens),
      record(pass) {
        steps[next]!.record(pass, plan);
        next = (next + 1) % copies;
      },
      async check() {
        const first = await checkStep(device, workload, steps[0]!, plan, expected());
        if (!first.pass || copies === 1) return first;
        return checkStep(device, workload, steps.at(-1)!, plan, expected());
      },
      destroy: () => decoder.destroy(),
    };
  } catch (error) {
    decoder.destroy();
    throw error;
  }
}

async function checkStep(
  device: GqaDevice,
  { o, lse }: Workload,
  step: DecodeStep,
  plan: DecodePlan,
  expected: Expected | ExpectedRows,
): Promise<RowCheck> {
  // An output left over from another step would pass for this one's.
  device.gpu.queue.writeBuffer(o, 0, new Float32Array(o.size / 4).fill(NaN));
  step.run(plan);
  const [gotO, gotLse] = [
    new Float32Array(await readBack(device, o)),
    new Float32Array(await readBack(device, lse)),
  ];
  return checkOf('rows' in expected ? verifyRows(expected, gotO, gotLse) : verify(expected, gotO, gotLse));
}
