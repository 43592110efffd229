// runProblem.ts: runs an attention problem through the engine.
import { CACHE_OPTIONS } from '../../src/cache/layout.ts';
import { pickKnown } from '../../src/device/options.ts';
import { MAX_Q_LEN } from '../../src/kernels/shape.ts';
import {
  createDecoder,
  createKvCache,
  type CacheOptions,
  type FusedVariant,
  type GqaDevice,
  type KernelChoice,
  type KvCache,
  type PlanOptions,
  type Tuning,
} from '../../src/index.ts';
import type { ProblemOptions, StoredProblem } from '../../src/reference/problem.ts';
import { featureOptionsOf } from '../../src/reference/problemFeatures.ts';
import { runChunks } from './runChunks.ts';

/** The cache that holds a problem's keys. */
export function cacheOptionsOf(problem: ProblemOptions): CacheOptions {
  const { capacity = Math.max(1, ...problem.kvLens) } = problem;
  return pickKnown<CacheOptions>({ ...problem, capacity }, CACHE_OPTIONS);
}

/** How to run a problem. */
export interface RunOptions extends Omit<PlanOptions, 'smScale' | 'qLens' | 'treeMasks'> {
  readonly kernel?: KernelChoice;
  readonly variant?: FusedVariant;
  readonly tuning?: Tuning;
  /** Tokens of a page: the cache is one of pages. Default: it has none. */
  readonly pageSize?: number;
}

/**
 * Uploads a problem, runs it and reads o and lse back: in one step, or where it has more query positions than a step takes, in
 * one step for each `MAX_Q_LEN` of them. Outputs start as NaN, so that an unwritten one shows.
 */
export async function runProblem(
  device: GqaDevice,
  problem: StoredProblem,
  { kernel, variant, tuning, pageSize, ...split }: RunOptions = {},
): Promise<{ o: Float32Array<ArrayBuffer>; lse: Float32Array<ArrayBuffer> }> {
  const made: { destroy(): void }[] = [];
  const keep = <T extends { destroy(): void }>(resource: T): T => {
    made.push(resource);
    return resource;
  };
  try {
    const cache = keep(await filledCache(device, problem, pageSize));
    const chosen = { ...(kernel && { kernel }), ...(variant && { variant }), ...(tuning && { tuning }) };
    const { numQHeads, causal } = problem;
    const qLen = Math.min(MAX_Q_LEN, problem.qLen);
    const features = featureOptionsOf(problem.features);
    const fixedSplits = split.numSplits !== undefined || split.deterministic === true;
    const decoder = keep(
      await createDecoder(device, { cache, numQHeads, qLen, causal, features, fixedSplits, ...chosen }),
    );
    return await runChunks(device, decoder, problem, split);
  } finally {
    for (const resource of made.toReversed()) resource.destroy();
  }
}

/** A cache that holds the problem's keys and values, bit for bit as they are stored in it. */
async function filledCache(
  device: GqaDevice,
  problem: StoredProblem,
  pageSize: number | undefined,
): Promise<KvCache> {
  const options = cacheOptionsOf(problem);
  const whole = await createKvCache(device, options);
  try {
    whole.load({ k: problem.kStored, v: problem.vStored, kvLens: problem.kvLens });
    return pageSize === undefined ? whole : await pagedCopy(device, whole, { ...options, pageSize });
  } catch (error) {
    whole.destroy();
    throw error;
  }
}

/** Moves the tokens of a cache to one of pages, which cannot be loaded from the host. */
async function pagedCopy(device: GqaDevice, whole: KvCache, options: CacheOptions): Promise<KvCache> {
  const paged = await createKvCache(device, options);
  try {
    await paged.restore(await whole.snapshot());
    whole.destroy();
    return paged;
  } catch (error) {
    paged.destroy();
    throw error;
  }
}
