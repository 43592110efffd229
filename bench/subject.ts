// subject.ts: one row made ready to be timed: caches enough to stay cold, buffers, bound steps, and its check.
import { checkBufferBytes } from '../src/device/gqaDevice.ts';
import {
  cacheLayout,
  createDecoder,
  createKvCache,
  createStorage,
  readBack,
  uploadStorage,
  type DecodePlan,
  type DecodeStep,
  type GqaDevice,
} from '../src/index.ts';
import { randomProblem, type StoredProblem } from './problem.ts';
import type { RowCheck, RowParams } from './schema.ts';
import { expect64, verify, type Expected } from './verify.ts';

const MIB = 2 ** 20;
const MAX_COPIES = 512;

/** K and V bytes that together exceed the last-level cache: of large GPUs (up to 128 MB), or of a CPU behind a software adapter. */
export function coldBytes(software: boolean): number {
  return software ? 64 * MIB : 256 * MIB;
}

/** A row ready to be timed. Every copy of the cache holds the same values; all steps write one shared output. */
export interface Subject {
  readonly plan: DecodePlan;
  readonly cold: boolean;
  readonly workingSetBytes: number;
  /** Records one step on the next copy of the cache. */
  record(pass: GPUComputePassEncoder): void;
  /** Runs a step on the first and on the last copy and holds the output against float64. */
  check(): Promise<RowCheck>;
  destroy(): void;
}

/** Allocates and binds everything a row needs; whatever fails leaves nothing allocated. */
export async function createSubject(device: GqaDevice, params: RowParams, seed: number): Promise<Subject> {
  const made: { destroy(): void }[] = [];
  const destroy = () => {
    for (const resource of made.splice(0).toReversed()) resource.destroy();
    // WebGPU gives memory back with the next submit.
    device.device.queue.submit([]);
  };
  try {
    return await build(device, params, seed, made, destroy);
  } catch (error) {
    destroy();
    throw error;
  }
}

async function build(
  device: GqaDevice,
  params: RowParams,
  seed: number,
  made: { destroy(): void }[],
  destroy: () => void,
): Promise<Subject> {
  const keep = <T extends { destroy(): void }>(resource: T): T => {
    made.push(resource);
    return resource;
  };
  // Before any data is made: a shape beyond the device's limits would take gigabytes of host memory first.
  const layout = cacheLayout({ ...params, numKvHeads: params.kvHeads });
  checkBufferBytes(device.facts, 'kv cache: K of one layer', layout.kBytes);
  checkBufferBytes(device.facts, 'kv cache: V of one layer', layout.vBytes);
  const problem = problemOf(params, seed);
  const bytesPerCopy = layout.kBytes + layout.vBytes;
  const copies = Math.min(
    MAX_COPIES,
    Math.max(1, Math.ceil(coldBytes(device.facts.software) / bytesPerCopy)),
  );
  const cache = keep(await createKvCache(device, { ...problem, layers: copies }));
  const decoder = keep(await createDecoder(device, { ...problem, cache, kernel: params.kernel }));
  const q = keep(uploadStorage(device, 'q', problem.q));
  const o = keep(createStorage(device, 'o', problem.q.byteLength));
  const lse = keep(createStorage(device, 'lse', decoder.shape.rows * 4));
  const steps: DecodeStep[] = [];
  for (let layer = 0; layer < copies; layer++) {
    cache.load({ layer, k: problem.kStored, v: problem.vStored, kvLens: problem.kvLens });
    steps.push(await decoder.step({ layer, q, o, lse }));
  }
  const plan = decoder.plan();
  let next = 0;
  return {
    plan,
    workingSetBytes: copies * plan.bytes.kv,
    cold: copies * plan.bytes.kv >= coldBytes(device.facts.software),
    record(pass) {
      steps[next]!.record(pass, plan);
      next = (next + 1) % copies;
    },
    async check() {
      const expected = expect64(problem);
      const first = await checkStep(device, expected, steps[0]!, plan, o, lse);
      if (!first.pass || copies === 1) return first;
      return checkStep(device, expected, steps.at(-1)!, plan, o, lse);
    },
    destroy,
  };
}

function problemOf(p: RowParams, seed: number): StoredProblem {
  const kvLens = Array.from({ length: p.batch }, () => p.depth);
  return randomProblem({
    batch: p.batch,
    numQHeads: p.heads,
    numKvHeads: p.kvHeads,
    headDim: p.headDim,
    capacity: p.capacity,
    kType: p.kType,
    vType: p.vType,
    kvLens,
    seed,
  });
}

async function checkStep(
  device: GqaDevice,
  expected: Expected,
  step: DecodeStep,
  plan: DecodePlan,
  o: GPUBuffer,
  lse: GPUBuffer,
): Promise<RowCheck> {
  // An output left over from another step would pass for this one's.
  device.device.queue.writeBuffer(o, 0, new Float32Array(o.size / 4).fill(NaN));
  step.run(plan);
  const verdict = verify(
    expected,
    new Float32Array(await readBack(device, o)),
    new Float32Array(await readBack(device, lse)),
  );
  return { ref: 'cpu-f64', pass: verdict.pass, maxAbsErr: verdict.maxAbsErr, bound: verdict.bound };
}
