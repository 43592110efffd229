// shapes.ts: shapes for tests of sizes that need no device.
import { checkShape, type GqaShape, HEAD_DIMS } from '../../src/kernels/shape.ts';

/** A shape of two KV heads with so many query heads each. */
export function shapeOf(groupSize: number, headDim: number, qLen = 1): GqaShape {
  return checkShape({ numQHeads: 2 * groupSize, numKvHeads: 2, headDim, qLen });
}

/** All head dims with groups and query positions of every kind: few and many, powers of two and primes. */
export const ALL_SHAPES: readonly GqaShape[] = HEAD_DIMS.flatMap((headDim) =>
  [1, 2, 3, 4, 6, 7, 8, 12, 16, 24, 32, 48, 64, 71, 96, 128, 512].flatMap((groupSize) =>
    [1, 2, 3, 5, 8].map((qLen) => shapeOf(groupSize, headDim, qLen)),
  ),
);
