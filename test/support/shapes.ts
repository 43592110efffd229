// shapes.ts: shapes for tests of sizes that need no device.
import { checkShape, type GqaShape } from '../../src/kernels/shape.ts';

/** Those of most models. */
export const HEAD_DIMS: readonly number[] = [64, 80, 96, 112, 128, 192, 256];

/** Others: the ends of the range, rows that end within a word of int8 or int4, and large ones. */
export const RARE_HEAD_DIMS: readonly number[] = [8, 16, 24, 40, 48, 72, 88, 120, 160, 320, 512];

/** Head dims of K and of V that differ: DeepSeek's, either one the longer, and the ends of the range. */
export const UNEQUAL_HEAD_DIMS: readonly (readonly [k: number, v: number])[] = [
  [192, 128],
  [128, 192],
  [64, 128],
  [8, 24],
  [72, 8],
  [8, 512],
  [512, 8],
];

/** A shape of two KV heads with so many query heads each. */
export function shapeOf(groupSize: number, headDim: number, qLen = 1): GqaShape {
  return checkShape({ numQHeads: 2 * groupSize, numKvHeads: 2, headDim, qLen });
}

/** Groups of every kind: few and many, powers of two and primes. */
const GROUPS = [1, 2, 3, 4, 6, 7, 8, 12, 16, 24, 32, 48, 64, 71, 96, 128, 512];

/** All these head dims with groups and query positions of every kind. */
export const ALL_SHAPES: readonly GqaShape[] = [
  ...[...HEAD_DIMS, ...RARE_HEAD_DIMS].flatMap((headDim) =>
    GROUPS.flatMap((groupSize) => [1, 3, 8].map((qLen) => shapeOf(groupSize, headDim, qLen))),
  ),
  ...UNEQUAL_HEAD_DIMS.flatMap(([headDim, vHeadDim]) =>
    GROUPS.map((groupSize) => checkShape({ numQHeads: 2 * groupSize, numKvHeads: 2, headDim, vHeadDim })),
  ),
];
