// problem.ts: seeded attention problems, with the bytes that a cache stores of them.
import { pickKnown } from '../device/options.ts';
import { checkShape, SHAPE_OPTIONS, type GqaShape, type ShapeOptions } from '../kernels/shape.ts';
import type { KvType, RowsLayout } from '../numbers/elements.ts';
import { decodeRows, encodeRows } from '../numbers/storedRows.ts';
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
  /** C, token slots of each head. Default: the longest of `kvLens`, at least 1. */
  readonly capacity?: number;
  /** Keys of each sequence: [B]. */
  readonly kvLens: readonly number[];
  /** Element type of K. Default f32. */
  readonly kType?: KvType;
  /** Element type of V. Default: K's. */
  readonly vType?: KvType;
  /** Factor on q . k. Default 1 / sqrt(D). */
  readonly smScale?: number;
  /** Of the random values. Default 1. */
  readonly seed?: number;
}

/** The values of a problem, before they are rounded to a cache's element types. */
export interface ProblemValues extends ProblemOptions {
  /** Queries, [B, Hq, Lq, D]. */
  readonly q: Float32Array<ArrayBuffer>;
  /** [B, Hkv, C, D] */
  readonly k: Float32Array<ArrayBuffer>;
  /** [B, Hkv, C, D] */
  readonly v: Float32Array<ArrayBuffer>;
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
export function storeProblem(options: ProblemValues): StoredProblem {
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
