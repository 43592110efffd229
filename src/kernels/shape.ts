// shape.ts: the shape of a decode step, checked once at the library's border.
import { ShapeError } from '../device/errors.ts';
import {
  checkBoolean,
  checkNumbers,
  checkOptions,
  checkWhole,
  describe,
  type Known,
} from '../device/options.ts';
import { checkFeatures, type FeatureOptions } from './features.ts';

export { checkWhole } from '../device/options.ts';

/** Head dims there are kernels for: multiples of 8 from here to `MAX_HEAD_DIM`. */
export const MIN_HEAD_DIM = 8;
export const MAX_HEAD_DIM = 512;

/** Most query positions of one step. */
export const MAX_Q_LEN = 32768;

/** Most query heads, and most sequences, of one step: far above any model, and safe for a dispatch's dimensions. */
export const MAX_HEADS = 1024;
export const MAX_BATCH = 4096;

/** What a caller gives: B sequences, Hq query heads, Hkv key/value heads, D elements per head, Lq new positions. */
export interface ShapeOptions {
  /** B, sequences, 1 to 4096. Default 1. */
  readonly batch?: number;
  /** Hq, query heads, 1 to 1024; a multiple of Hkv. */
  readonly numQHeads: number;
  /** Hkv, KV heads, 1 to 1024. */
  readonly numKvHeads: number;
  /** D, elements of a query, a key and, unless `vHeadDim` says otherwise, a value: a multiple of 8 from 8 to 512. */
  readonly headDim: number;
  /** Dv, elements of a value and of an output: a multiple of 8 from 8 to 512. Default D. */
  readonly vHeadDim?: number;
  /** Lq, query positions per sequence in one step, 1 to 32768. Default 1. */
  readonly qLen?: number;
  /** Position i of qLen sees all but the last qLen - 1 - i keys (aligned bottom-right). Default true. */
  readonly causal?: boolean;
  /** What is done to scores beyond the scale. Default: nothing. */
  readonly features?: FeatureOptions;
}

/** The fields of ShapeOptions. */
export const SHAPE_OPTIONS = {
  batch: true,
  numQHeads: true,
  numKvHeads: true,
  headDim: true,
  vHeadDim: true,
  qLen: true,
  causal: true,
  features: true,
} satisfies Known<ShapeOptions>;

/** A checked shape with its derived counts. */
export interface GqaShape extends Required<ShapeOptions> {
  /** Query heads that share a KV head: Hq / Hkv. */
  readonly groupSize: number;
  /** Query rows of one KV head: groupSize * qLen. They lie one behind the other in q: [B, Hkv, rowsPerKvHead, D]. */
  readonly rowsPerKvHead: number;
  /** All query rows of a step: B * Hq * Lq. */
  readonly rows: number;
}

/** Elements of a head's rows: of q and K, and of V and o. */
export type HeadDims = Pick<GqaShape, 'headDim' | 'vHeadDim'>;

/** Throws ShapeError unless there are kernels for rows of so many elements. */
export function checkHeadDim(where: string, headDim: number): void {
  const isWithin = Number.isSafeInteger(headDim) && headDim >= MIN_HEAD_DIM && headDim <= MAX_HEAD_DIM;
  if (isWithin && headDim % 8 === 0) return;
  const wanted = `a multiple of 8 from ${MIN_HEAD_DIM} to ${MAX_HEAD_DIM}`;
  throw new ShapeError(`${where}: expected ${wanted}, got ${describe(headDim)}`);
}

/** The same for both head dims of a shape or a cache. */
export function checkHeadDims(where: string, { headDim, vHeadDim }: HeadDims): void {
  checkHeadDim(`${where}: headDim`, headDim);
  checkHeadDim(`${where}: vHeadDim`, vHeadDim);
}

/** Checks a shape; throws ShapeError naming the field, what it must be and what was given. */
export function checkShape(options: ShapeOptions): GqaShape {
  checkOptions('shape', options, SHAPE_OPTIONS);
  const { batch = 1, numQHeads, numKvHeads, headDim, vHeadDim = headDim, qLen = 1 } = options;
  const { causal = true, features = {} } = options;
  checkWhole('batch', batch, 1, MAX_BATCH);
  checkWhole('numQHeads', numQHeads, 1, MAX_HEADS);
  checkWhole('numKvHeads', numKvHeads, 1, MAX_HEADS);
  checkWhole('qLen', qLen, 1, MAX_Q_LEN);
  checkBoolean('causal', causal);
  if (numQHeads % numKvHeads !== 0) {
    throw new ShapeError(`shape: numQHeads (${numQHeads}) must be a multiple of numKvHeads (${numKvHeads})`);
  }
  checkHeadDims('shape', { headDim, vHeadDim });
  const groupSize = numQHeads / numKvHeads;
  const rowsPerKvHead = groupSize * qLen;
  const rows = batch * numQHeads * qLen;
  const given = { batch, numQHeads, numKvHeads, headDim, vHeadDim, qLen, causal };
  return { ...given, features: checkFeatures('features', features, causal), groupSize, rowsPerKvHead, rows };
}

const SHAPE_NUMBERS = [
  'batch',
  'numQHeads',
  'numKvHeads',
  'headDim',
  'vHeadDim',
  'qLen',
  'groupSize',
  'rowsPerKvHead',
  'rows',
] as const satisfies readonly (keyof GqaShape)[];

/** Throws ShapeError unless this is what `checkShape` returned. */
export function checkGqaShape(where: string, shape: GqaShape): void {
  checkNumbers(where, shape, SHAPE_NUMBERS, 'checkShape');
  checkFeatures(`${where}: features`, shape.features, shape.causal);
}
