// runProblem.ts: runs an attention problem through the engine.
import { CACHE_OPTIONS } from '../../src/cache/layout.ts';
import { pickKnown } from '../../src/device/options.ts';
import {
  createDecoder,
  createKvCache,
  readBack,
  uploadStorage,
  type CacheOptions,
  type FusedVariant,
  type GqaDevice,
  type KernelChoice,
  type PlanOptions,
  type Tuning,
} from '../../src/index.ts';
import type { ProblemOptions, StoredProblem } from '../../src/reference/problem.ts';
import { featureOptionsOf } from '../../src/reference/problemFeatures.ts';

/** The cache that holds a problem's keys. */
export function cacheOptionsOf(problem: ProblemOptions): CacheOptions {
  const { capacity = Math.max(1, ...problem.kvLens) } = problem;
  return pickKnown<CacheOptions>({ ...problem, capacity }, CACHE_OPTIONS);
}

/** How to run a problem. */
export interface RunOptions extends Omit<PlanOptions, 'smScale'> {
  readonly kernel?: KernelChoice;
  readonly variant?: FusedVariant;
  readonly tuning?: Tuning;
}

/** Uploads a problem, runs one step and reads o and lse back. Outputs start as NaN, so that an unwritten one shows. */
export async function runProblem(
  device: GqaDevice,
  problem: StoredProblem,
  { kernel, variant, tuning, ...split }: RunOptions = {},
): Promise<{ o: Float32Array<ArrayBuffer>; lse: Float32Array<ArrayBuffer> }> {
  const made: { destroy(): void }[] = [];
  const keep = <T extends { destroy(): void }>(resource: T): T => {
    made.push(resource);
    return resource;
  };
  try {
    const cache = keep(await createKvCache(device, cacheOptionsOf(problem)));
    cache.load({ k: problem.kStored, v: problem.vStored, kvLens: problem.kvLens });
    const chosen = { ...(kernel && { kernel }), ...(variant && { variant }), ...(tuning && { tuning }) };
    const { numQHeads, qLen, qLens, causal } = problem;
    const features = featureOptionsOf(problem.features);
    const { bias, treeMasks, sinkLogits, alibiSlopes } = problem.features ?? {};
    const fixedSplits = split.numSplits !== undefined || split.deterministic === true;
    const decoder = keep(
      await createDecoder(device, { cache, numQHeads, qLen, causal, features, fixedSplits, ...chosen }),
    );
    const { rows, vHeadDim } = decoder.shape;
    const q = keep(uploadStorage(device, 'q', problem.q));
    const o = keep(uploadStorage(device, 'o', new Float32Array(rows * vHeadDim).fill(NaN)));
    const lse = keep(uploadStorage(device, 'lse', new Float32Array(rows).fill(NaN)));
    const layer = {
      ...(sinkLogits && { sinkLogits }),
      ...(alibiSlopes && { alibiSlopes }),
      ...(bias && {
        bias: { buffer: keep(uploadStorage(device, 'bias', bias.values)), shape: bias.shape },
      }),
    };
    const step = await decoder.bind({ q, o, lse, ...layer });
    const lens = { kvLens: problem.kvLens, ...(qLens && { qLens }) };
    const plan = { ...split, ...lens, smScale: problem.smScale };
    step.run(decoder.plan({ ...plan, ...(treeMasks && { treeMasks }) }));
    return {
      o: new Float32Array(await readBack(device, o)),
      lse: new Float32Array(await readBack(device, lse)),
    };
  } finally {
    for (const resource of made.toReversed()) resource.destroy();
  }
}
