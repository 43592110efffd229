// problem.ts: seeded attention problems, and running one through the engine.
import { CACHE_OPTIONS } from '../cache/layout.ts';
import { pickKnown } from '../device/options.ts';
import {
  checkShape,
  createDecoder,
  createKvCache,
  decodeRows,
  encodeRows,
  readBack,
  uploadStorage,
  type CacheOptions,
  type FusedVariant,
  type GqaDevice,
  type GqaShape,
  type KernelChoice,
  type KvType,
  type PlanOptions,
  type RowsLayout,
  type ShapeOptions,
  type Tuning,
} from '../index.ts';
import { SHAPE_OPTIONS } from '../kernels/shape.ts';
import type { AttentionProblem } from './attention.ts';
import { normals } from '../numbers/random.ts';

/** A problem with the bytes that a cache of its element types stores. */
export interface StoredProblem extends AttentionProblem {
  readonly kType: KvType;
  readonly vType: KvType;
  readonly kStored: Uint8Array<ArrayBuffer>;
  readonly vStored: Uint8Array<ArrayBuffer>;
}

/** What a problem is made from; the rest has the engine's defaults. */
export interface ProblemOptions extends ShapeOptions {
  readonly capacity?: number;
  readonly kvLens: readonly number[];
  readonly kType?: KvType;
  readonly vType?: KvType;
  readonly smScale?: number;
  readonly seed?: number;
}

/** A problem of random normal q, k and v. Slots past a sequence's length hold NaN: a kernel that reads one shows it. */
export function randomProblem(options: ProblemOptions): StoredProblem {
  const { batch = 1, numQHeads, numKvHeads, headDim, qLen = 1, kvLens, seed = 1 } = options;
  const capacity = options.capacity ?? Math.max(1, ...kvLens);
  const count = batch * numKvHeads * capacity * headDim;
  return storeProblem({
    ...options,
    q: normals(seed, batch * numQHeads * qLen * headDim),
    k: poisoned(normals(seed + 1, count), options, capacity),
    v: poisoned(normals(seed + 2, count), options, capacity),
  });
}

/** A problem of given values; k and v [B, Hkv, capacity, D] are rounded to the cache's element types. */
export function storeProblem(
  options: ProblemOptions & {
    readonly q: Float32Array<ArrayBuffer>;
    readonly k: Float32Array<ArrayBuffer>;
    readonly v: Float32Array<ArrayBuffer>;
  },
): StoredProblem {
  const { batch = 1, headDim, qLen = 1, causal = true, kvLens, kType = 'f32', vType = kType } = options;
  const capacity = options.capacity ?? Math.max(1, ...kvLens);
  const rows: RowsLayout = { type: kType, headDim, heads: batch * options.numKvHeads, capacity };
  const kStored = encodeRows(rows, options.k);
  const vStored = encodeRows({ ...rows, type: vType }, options.v);
  return {
    ...options,
    batch,
    qLen,
    causal,
    capacity,
    smScale: Math.fround(options.smScale ?? 1 / Math.sqrt(headDim)),
    kType,
    vType,
    kStored,
    vStored,
    k: decodeRows(rows, kStored),
    v: decodeRows({ ...rows, type: vType }, vStored),
  };
}

function poisoned(
  values: Float32Array<ArrayBuffer>,
  { numKvHeads, headDim, kvLens }: ProblemOptions,
  capacity: number,
) {
  kvLens.forEach((kvLen, b) => {
    for (let hk = 0; hk < numKvHeads; hk++) {
      const head = (b * numKvHeads + hk) * capacity;
      values.fill(NaN, (head + kvLen) * headDim, (head + capacity) * headDim);
    }
  });
  return values;
}

/** The shape of a problem, without its numbers. */
export function shapeOf(problem: ShapeOptions): GqaShape {
  return checkShape(pickKnown<ShapeOptions>(problem, SHAPE_OPTIONS));
}

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
    const { numQHeads, qLen, causal } = problem;
    const decoder = keep(await createDecoder(device, { cache, numQHeads, qLen, causal, ...chosen }));
    const q = keep(uploadStorage(device, 'q', problem.q));
    const o = keep(uploadStorage(device, 'o', new Float32Array(problem.q.length).fill(NaN)));
    const lse = keep(uploadStorage(device, 'lse', new Float32Array(decoder.shape.rows).fill(NaN)));
    const step = await decoder.step({ q, o, lse });
    step.run(decoder.plan({ ...split, kvLens: problem.kvLens, smScale: problem.smScale }));
    return {
      o: new Float32Array(await readBack(device, o)),
      lse: new Float32Array(await readBack(device, lse)),
    };
  } finally {
    for (const resource of made.toReversed()) resource.destroy();
  }
}
