// workload.ts: what the kernels of one shape are timed on: a seeded problem, enough copies of its caches to stay cold, q and outputs.
import { checkCacheFits } from '../../src/cache/cacheFits.ts';
import {
  cacheLayout,
  createKvCache,
  createStorage,
  GqaError,
  kvBytesRead,
  uploadStorage,
  type CacheLayout,
  type GqaDevice,
  type KvCache,
  type LayerFeatures,
} from '../../src/index.ts';
import { randomProblem, storeProblem, type StoredProblem } from '../../src/reference/problem.ts';
import { cacheOptionsOf } from '../check/runProblem.ts';
import { appendAll, appendShared } from './appendAll.ts';
import { createAppendInputs, type AppendInputs } from './appendInputs.ts';
import { expectRows, type ExpectedRows } from './prefillCheck.ts';
import { kvLensOf } from './requests.ts';
import { featureNumbers, positionsOf } from './variations.ts';
import type { RowParams } from '../schema/schema.ts';
import { expect64, type Expected } from '../../src/reference/verify.ts';

/** The shape of a row without what differs between kernels on it. */
export type WorkloadParams = Omit<RowParams, 'kernel'>;

/** The data of one shape. All kernels on it read the same caches in turn and write the same output. */
export interface Workload {
  readonly problem: StoredProblem;
  readonly cache: KvCache;
  /** Copies of the cache, as layers of it; they hold the same values. */
  readonly copies: number;
  readonly q: GPUBuffer;
  readonly o: GPUBuffer;
  readonly lse: GPUBuffer;
  /** What a layer's step is bound with, for its features. */
  readonly layerFeatures: LayerFeatures;
  /** What steps append before they attend to it, where they do. */
  readonly append?: AppendInputs;
  /** Bytes of a copy that a step reads at all, where sequences share some of them. */
  readonly distinctBytes?: number;
  /** The float64 result, computed once when it is first asked for; of a prompt that of some rows. */
  expected(): Expected | ExpectedRows;
  destroy(): void;
}

/** How far a workload's caches are to be from the last-level cache, and what limits that. */
export interface Rotation {
  /** What the copies of a cache are to exceed together, as far as `mostCopies` do. */
  readonly rotatedBytes: number;
  /** Each copy is a bound step of every kernel on the workload (`copiesPerKernel`). */
  readonly mostCopies: number;
}

/**
 * Allocates and fills a workload whose copies of the cache are read in turn; a hot one has a single copy. Whatever fails leaves
 * nothing allocated.
 */
export async function createWorkload(
  device: GqaDevice,
  params: WorkloadParams,
  seed: number,
  { rotatedBytes, mostCopies }: Rotation,
): Promise<Workload> {
  const made: { destroy(): void }[] = [];
  const keep = <T extends { destroy(): void }>(resource: T): T => {
    made.push(resource);
    return resource;
  };
  const destroy = () => {
    for (const resource of made.splice(0).toReversed()) resource.destroy();
    // WebGPU gives memory back with the next submit.
    device.gpu.queue.submit([]);
  };
  try {
    const most = params.append ? Math.max(1, Math.floor(mostCopies / 2)) : mostCopies; // an append is bound besides
    const copies = Math.min(most, copiesOf(device, params, rotatedBytes));
    const problem = problemOf(params, seed);
    const { pageSize, sharedPrefix } = params;
    const places = pageSize === undefined ? {} : { pageSize };
    const cache = keep(await createKvCache(device, { ...cacheOptionsOf(problem, places), layers: copies }));
    const filled = params.append ? withoutOwn(problem) : problem;
    if (sharedPrefix !== undefined) await appendShared(cache, filled, sharedPrefix);
    else if (pageSize !== undefined) await appendAll(cache, filled);
    else {
      for (let layer = 0; layer < copies; layer++) {
        cache.load({ layer, k: filled.kStored, v: filled.vStored, kvLens: filled.kvLens });
      }
    }
    const { sinkLogits, alibiSlopes, bias } = problem.features ?? {};
    const layerFeatures = {
      ...(sinkLogits && { sinkLogits }),
      ...(alibiSlopes && { alibiSlopes }),
      ...(bias && {
        bias: { buffer: keep(uploadStorage(device, 'bias', bias.values)), shape: bias.shape },
      }),
    };
    const q = keep(uploadStorage(device, 'q', problem.q));
    const append =
      params.append && (await createAppendInputs(device, problem, params.features ?? [], q, keep));
    let expected: Expected | ExpectedRows | undefined;
    return {
      problem,
      cache,
      copies,
      q,
      o: keep(createStorage(device, 'o', problem.q.byteLength)),
      lse: keep(createStorage(device, 'lse', (problem.q.length / params.headDim) * 4)),
      layerFeatures,
      ...(append && { append }),
      ...(sharedPrefix !== undefined && { distinctBytes: kvBytesRead(cache.layout, distinctLens(params)) }),
      expected: () => (expected ??= params.prompt === undefined ? expect64(problem) : expectRows(problem)),
      destroy,
    };
  } catch (error) {
    destroy();
    throw error;
  }
}

/** The layout of a row's cache. Throws LimitExceededError where the device cannot hold it. */
function layoutOf(device: GqaDevice, params: WorkloadParams): CacheLayout {
  const { batch, kvHeads, headDim, capacity, kType, vType, pageSize } = params;
  const shape = { batch, numKvHeads: kvHeads, headDim, capacity, kType, vType };
  const layout = cacheLayout({ ...shape, ...(pageSize !== undefined && { pageSize }) }, device.facts);
  checkCacheFits('kv cache', layout, device.facts);
  return layout;
}

/** Whether a device can hold a row's cache. */
export function fitsDevice(device: GqaDevice, params: WorkloadParams): boolean {
  try {
    layoutOf(device, params);
    return true;
  } catch (error) {
    if (error instanceof GqaError) return false;
    throw error;
  }
}

/** Before any data is made: a shape beyond the device's limits would take gigabytes of host memory first. */
function copiesOf(device: GqaDevice, params: WorkloadParams, rotatedBytes: number): number {
  const layout = layoutOf(device, params);
  const { prompt, window = Infinity } = params;
  // A prompt's time is no matter of memory.
  if (params.cache === 'hot' || prompt !== undefined) return 1;
  const read = kvBytesRead(
    layout,
    distinctLens(params).map((kvLen) => Math.min(kvLen, window)),
  );
  return Math.max(1, Math.ceil(rotatedBytes / Math.max(1, read)));
}

/** Tokens of each sequence that no sequence before it has too. */
function distinctLens(params: WorkloadParams): number[] {
  const { sharedPrefix = 0 } = params;
  return kvLensOf(params).map((kvLen, b) => (b === 0 ? kvLen : kvLen - sharedPrefix));
}

function problemOf(params: WorkloadParams, seed: number): StoredProblem {
  const { batch, heads, kvHeads, headDim, capacity, kType, vType, sharedPrefix } = params;
  const features = featureNumbers(params, seed);
  const problem = inMemory(() =>
    randomProblem({
      batch,
      numQHeads: heads,
      numKvHeads: kvHeads,
      headDim,
      capacity,
      kType,
      vType,
      kvLens: kvLensOf(params),
      seed,
      qLen: positionsOf(params),
      ...(Object.keys(features).length > 0 && { features }),
    }),
  );
  return sharedPrefix === undefined ? problem : withSharedPrefix(problem, sharedPrefix);
}

/** Makes arrays; those that a host has no memory for are a GqaError, as too large a buffer of the device is. */
function inMemory<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new GqaError('memory', `inputs: this machine has no memory for them (${error.message})`);
  }
}

/** The same with the first sequence's first tokens in all. */
function withSharedPrefix(problem: StoredProblem, prefix: number): StoredProblem {
  const { batch, numKvHeads, capacity, headDim } = problem;
  const shared = (values: Float32Array<ArrayBuffer>) => {
    const all = values.slice();
    for (let head = numKvHeads; head < batch * numKvHeads; head++) {
      const from = (head % numKvHeads) * capacity * headDim;
      all.copyWithin(head * capacity * headDim, from, from + prefix * headDim);
    }
    return all;
  };
  return storeProblem({ ...problem, k: shared(problem.k), v: shared(problem.v) });
}

/** The same with zeros in place of the step's own tokens: steps that append them would be right without. */
function withoutOwn(problem: StoredProblem): StoredProblem {
  const { batch, numKvHeads, capacity, headDim, kvLens, qLen } = problem;
  const without = (values: Float32Array<ArrayBuffer>) => {
    const others = values.slice();
    for (let head = 0; head < batch * numKvHeads; head++) {
      const end = head * capacity + kvLens[Math.floor(head / numKvHeads)]!;
      others.fill(0, (end - qLen) * headDim, end * headDim);
    }
    return others;
  };
  return storeProblem({ ...problem, k: without(problem.k), v: without(problem.v) });
}
