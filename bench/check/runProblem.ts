// runProblem.ts: runs an attention problem through the engine.
import { CACHE_OPTIONS } from '../../src/cache/layout.ts';
import { pickKnown } from '../../src/device/options.ts';
import {
  createDecoder,
  createKvCache,
  readBack,
  type CacheOptions,
  type FusedVariant,
  type GqaDevice,
  type KernelChoice,
  type PlanOptions,
  type RowsOptions,
  type Tuning,
  uploadStorage,
} from '../../src/index.ts';
import type { ProblemOptions, StoredProblem } from '../../src/reference/problem.ts';
import { growCache } from './growCache.ts';
import { collectRows, placeRows, unwrittenRows } from './rowsIn.ts';
import { featureOptionsOf } from '../../src/reference/problemFeatures.ts';

/** The cache that holds a problem's keys. */
export function cacheOptionsOf(problem: ProblemOptions, { pageSize }: ProblemPlaces = {}): CacheOptions {
  const { capacity = Math.max(1, ...problem.kvLens) } = problem;
  const paged = pageSize === undefined ? {} : { pageSize };
  return pickKnown<CacheOptions>({ ...problem, capacity, ...paged }, CACHE_OPTIONS);
}

/** How a problem's rows and tokens lie on the device; what comes out is dense and f32 all the same. */
export interface ProblemPlaces {
  /** How queries are stored; the problem's own are dense f32. */
  readonly q?: RowsOptions;
  /** How outputs are stored. */
  readonly o?: RowsOptions;
  /** Tokens of a page. Default: each sequence has slots of its own. */
  readonly pageSize?: number;
  /** The cache grows by appends and a fork (`growCache`) where it would be loaded. */
  readonly grown?: boolean;
}

/** How to run a problem. */
export interface RunOptions extends Omit<PlanOptions, 'smScale' | 'qLens' | 'firstKeys' | 'treeMasks'> {
  readonly places?: ProblemPlaces;
  readonly kernel?: KernelChoice;
  readonly variant?: FusedVariant;
  readonly tuning?: Tuning;
}

/**
 * Uploads a problem, runs it in one step and reads o and lse back. Outputs start as NaN, so that an unwritten one shows.
 */
export async function runProblem(
  device: GqaDevice,
  problem: StoredProblem,
  { kernel, variant, tuning, places = {}, ...split }: RunOptions = {},
): Promise<{ o: Float32Array<ArrayBuffer>; lse: Float32Array<ArrayBuffer> }> {
  const made: { destroy(): void }[] = [];
  const keep = <T extends { destroy(): void }>(resource: T): T => {
    made.push(resource);
    return resource;
  };
  try {
    const { pageSize, grown = pageSize !== undefined } = places;
    const cache = keep(await createKvCache(device, cacheOptionsOf(problem, places)));
    if (grown) await growCache(cache, problem);
    else cache.load({ k: problem.kStored, v: problem.vStored, kvLens: problem.kvLens });
    const chosen = { ...(kernel && { kernel }), ...(variant && { variant }), ...(tuning && { tuning }) };
    const { numQHeads, qLen, causal } = problem;
    const features = featureOptionsOf(problem.features);
    const fixedSplits = split.numSplits !== undefined || split.deterministic === true;
    const decoder = keep(
      await createDecoder(device, {
        cache,
        numQHeads,
        qLen,
        causal,
        features,
        fixedSplits,
        ...chosen,
        ...pickKnown<Pick<ProblemPlaces, 'q' | 'o'>>(places, { q: true, o: true }),
      }),
    );
    const { kvLens, qLens, smScale } = problem;
    const { bias, relativeBias, treeMasks, sinkLogits, alibiSlopes } = problem.features ?? {};
    const rows = { heads: numQHeads, qLen, qLens: qLens ?? kvLens.map(() => qLen) };
    const { context } = decoder;
    const q = keep(uploadStorage(device, 'q', placeRows(context.q, rows, problem.q)));
    const o = keep(uploadStorage(device, 'o', unwrittenRows(context.o, rows)));
    const lse = keep(uploadStorage(device, 'lse', unwrittenRows(context.lse, rows)));
    const layer = {
      ...(sinkLogits && { sinkLogits }),
      ...(alibiSlopes && { alibiSlopes }),
      ...(bias && {
        bias: { buffer: keep(uploadStorage(device, 'bias', bias.values)), shape: bias.shape },
      }),
      ...(relativeBias && {
        relativeBias: keep(uploadStorage(device, 'relative bias', relativeBias.values)),
      }),
    };
    const step = await decoder.bind({ q, o, lse, ...layer });
    const trees = treeMasks?.map((masks, b) => masks.slice(0, qLens?.[b]));
    const ragged = { ...(qLens && { qLens }), ...(trees && { treeMasks: trees }) };
    step.run(decoder.plan({ ...split, kvLens, smScale, ...ragged }));
    return {
      o: collectRows(context.o, rows, await readBack(device, o)),
      lse: collectRows(context.lse, rows, await readBack(device, lse)),
    };
  } finally {
    for (const resource of made.toReversed()) resource.destroy();
  }
}
