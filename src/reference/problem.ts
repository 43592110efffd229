// problem.ts: seeded attention problems, with the bytes that a cache stores of them.
import {
  checkFinite,
  checkOneOf,
  checkOptions,
  checkWhole,
  pickKnown,
  type Known,
} from '../device/options.ts';
import { checkShape, SHAPE_OPTIONS, type GqaShape, type ShapeOptions } from '../kernels/shape.ts';
import { KV_TYPES, type KvType, type RowsLayout } from '../numbers/elements.ts';
import { decodeRows, encodeRows } from '../numbers/storedRows.ts';
import { checkData, checkSizes, type AttentionProblem } from './attentionProblem.ts';
import { normals } from '../numbers/random.ts';
import { featureOptionsOf, type ProblemFeatures } from './problemFeatures.ts';

/** A problem with the bytes that a cache of its element types stores. */
export interface StoredProblem extends AttentionProblem {
  readonly vHeadDim: number;
  readonly kType: KvType;
  readonly vType: KvType;
  readonly kStored: Uint8Array<ArrayBuffer>;
  readonly vStored: Uint8Array<ArrayBuffer>;
}

/** What a problem is made from; the rest has the engine's defaults. */
export interface ProblemOptions extends Omit<ShapeOptions, 'features'> {
  /** What is done to scores and sums beyond the scale, with its numbers. Default: nothing. */
  readonly features?: ProblemFeatures;
  /** C, token slots of each head. Default: the longest of `kvLens`, at least 1. */
  readonly capacity?: number;
  /** Keys of each sequence: [B]. */
  readonly kvLens: readonly number[];
  /** Query positions of each sequence: [B], each 0 to qLen, the first ones of its rows. Default: qLen each. */
  readonly qLens?: readonly number[];
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
  /** [B, Hkv, C, Dv] */
  readonly v: Float32Array<ArrayBuffer>;
}

const PROBLEM_OPTIONS = {
  ...SHAPE_OPTIONS,
  capacity: true,
  kvLens: true,
  qLens: true,
  kType: true,
  vType: true,
  smScale: true,
  seed: true,
} satisfies Known<ProblemOptions>;

/** Those of a stored problem too, which may be given again with some of it changed. */
const PROBLEM_VALUES = {
  ...PROBLEM_OPTIONS,
  q: true,
  k: true,
  v: true,
  kStored: true,
  vStored: true,
} satisfies Known<ProblemValues & StoredProblem>;

type Sizes = Omit<StoredProblem, 'q' | 'k' | 'v' | 'kStored' | 'vStored'>;

/** The options with what was left out; throws ShapeError for those that do not go together. */
function sizesOf(where: string, options: ProblemOptions): Sizes {
  const { batch = 1, numQHeads, numKvHeads, headDim, vHeadDim = headDim, kvLens } = options;
  const { qLen = 1, causal = true, qLens } = options;
  const { kType = 'f32', vType = kType } = options;
  checkOneOf(`${where}: kType`, kType, KV_TYPES);
  checkOneOf(`${where}: vType`, vType, KV_TYPES);
  const { capacity: most = Number.MAX_SAFE_INTEGER } = options;
  const { features } = options;
  const shape = {
    batch,
    numQHeads,
    numKvHeads,
    headDim,
    vHeadDim,
    qLen,
    ...(qLens !== undefined && { qLens }),
    causal,
    ...(features && { features }),
  };
  checkSizes(where, { ...shape, kvLens, capacity: most });
  const { smScale = 1 / Math.sqrt(headDim) } = options;
  checkFinite(`${where}: smScale`, smScale);
  const { capacity = Math.max(1, ...kvLens) } = options;
  return { ...shape, kvLens, capacity, smScale: Math.fround(smScale), kType, vType };
}

/**
 * A problem of random normal q, k and v. Slots past a sequence's length hold NaN: a kernel that reads one shows it. Throws
 * ShapeError for options that do not go together.
 */
export function randomProblem(options: ProblemOptions): StoredProblem {
  checkOptions('randomProblem', options, PROBLEM_OPTIONS);
  const { seed = 1, ...given } = options;
  checkWhole('randomProblem: seed', seed, 0, 2 ** 32 - 1);
  const sizes = sizesOf('randomProblem', options);
  const { batch, numQHeads, numKvHeads, headDim, vHeadDim, qLen, capacity } = sizes;
  const slots = batch * numKvHeads * capacity;
  return storeProblem({
    ...given,
    q: normals(seed, batch * numQHeads * qLen * headDim),
    k: poisoned(normals(seed + 1, slots * headDim), headDim, sizes),
    v: poisoned(normals(seed + 2, slots * vHeadDim), vHeadDim, sizes),
  });
}

/**
 * A problem of given values; k [B, Hkv, capacity, D] and v [B, Hkv, capacity, Dv] are rounded to the cache's element types. Throws ShapeError for
 * options that do not go together. A stored problem is one too: what it stores is made anew of its k and v.
 */
export function storeProblem(options: ProblemValues): StoredProblem {
  checkOptions('storeProblem', options, PROBLEM_VALUES);
  const { q, k, v } = options;
  const sizes = sizesOf('storeProblem', options);
  checkData('storeProblem', sizes, { q, k, v });
  const { batch, numKvHeads, headDim, vHeadDim, capacity, kType, vType } = sizes;
  const kRows: RowsLayout = { type: kType, headDim, heads: batch * numKvHeads, capacity };
  const vRows: RowsLayout = { ...kRows, type: vType, headDim: vHeadDim };
  const kStored = encodeRows(kRows, k);
  const vStored = encodeRows(vRows, v);
  return {
    ...sizes,
    q,
    kStored,
    vStored,
    k: decodeRows(kRows, kStored),
    v: decodeRows(vRows, vStored),
  };
}

function poisoned(
  values: Float32Array<ArrayBuffer>,
  dim: number,
  { numKvHeads, kvLens, capacity }: Sizes,
): Float32Array<ArrayBuffer> {
  kvLens.forEach((kvLen, b) => {
    for (let hk = 0; hk < numKvHeads; hk++) {
      const head = (b * numKvHeads + hk) * capacity;
      values.fill(NaN, (head + kvLen) * dim, (head + capacity) * dim);
    }
  });
  return values;
}

/** The shape of a problem, without its numbers. */
export function shapeOf({
  features,
  ...problem
}: Omit<ShapeOptions, 'features'> & Pick<ProblemOptions, 'features'>): GqaShape {
  const { features: _, ...known } = SHAPE_OPTIONS;
  return checkShape({
    ...pickKnown<Omit<ShapeOptions, 'features'>>(problem, known),
    features: featureOptionsOf(features),
  });
}
