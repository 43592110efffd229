// target.ts: one kernel made ready to be timed on a workload: its bound steps, and its check against float64.
import { readBack, type ContextOptions, type DecoderOptions, type GqaDevice } from '../../src/index.ts';
import { createAppendedStep } from './appendedStep.ts';
import { createCascade } from './cascade.ts';
import { createStep, type TimedStep } from './timedStep.ts';
import type { Workload } from './workload.ts';
import type { RowCheck } from '../schema/schema.ts';
import { checkOf } from '../check/rowCheck.ts';
import { verifyRows, type ExpectedRows } from './prefillCheck.ts';
import { expect64, verify, type Expected } from '../../src/reference/verify.ts';

/** A kernel ready to be timed. All its steps write the workload's one output, so that no two may overlap. */
export interface Target extends Pick<TimedStep, 'plan' | 'sizes' | 'replan' | 'destroy'> {
  readonly workingSetBytes: number;
  /** Records one step on the next copy of the cache. */
  record(pass: GPUComputePassEncoder): void;
  /** Runs a step on the first and on the last copy and holds the output against float64. */
  check(): Promise<RowCheck>;
}

/**
 * Compiles a kernel for a workload and binds its steps. They attend to `kvLens` tokens, by default all that the caches hold; with
 * `cascade` to the prefix that sequences share apart.
 */
export async function createTarget(
  device: GqaDevice,
  workload: Workload,
  options: ContextOptions & Pick<DecoderOptions, 'tuning'>,
  { kvLens, cascade }: { readonly kvLens?: readonly number[]; readonly cascade?: number } = {},
): Promise<Target> {
  const { problem, copies, append } = workload;
  const ofLens = () =>
    append
      ? createAppendedStep(device, workload, append, options)
      : createStep(device, workload, options, kvLens ?? problem.kvLens);
  const step = await (cascade === undefined ? ofLens() : createCascade(device, workload, options, cascade));
  const expected = () => (kvLens ? expect64({ ...problem, kvLens }) : workload.expected());
  let next = 0;
  return {
    ...step,
    workingSetBytes: copies * (workload.distinctBytes ?? step.plan.bytes.kv),
    record(pass) {
      step.record(pass, next);
      next = (next + 1) % copies;
    },
    async check() {
      const first = await checkStep(device, workload, step, 0, expected());
      if (!first.pass || copies === 1) return first;
      return checkStep(device, workload, step, copies - 1, expected());
    },
  };
}

async function checkStep(
  device: GqaDevice,
  { o, lse }: Workload,
  step: TimedStep,
  copy: number,
  expected: Expected | ExpectedRows,
): Promise<RowCheck> {
  await step.beforeCheck?.(copy);
  // An output left over from another step would pass for this one's.
  device.gpu.queue.writeBuffer(o, 0, new Float32Array(o.size / 4).fill(NaN));
  const encoder = device.gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  step.record(pass, copy);
  pass.end();
  device.gpu.queue.submit([encoder.finish()]);
  const [gotO, gotLse] = [
    new Float32Array(await readBack(device, o)),
    new Float32Array(await readBack(device, lse)),
  ];
  return checkOf('rows' in expected ? verifyRows(expected, gotO, gotLse) : verify(expected, gotO, gotLse));
}
