// crossLayers.ts: the cross-attention of a model's layers, and how its queries lie; pure.
import { paddedWidth } from '../../kernels/model/weightsLib.ts';
import { paddedHeadDim } from './headDims.ts';
import type { AttentionSpec, CrossSpec, ModelSpec } from './spec.ts';

/** The layers that have cross-attention: all, or none. */
export function crossLayers({ layers }: ModelSpec): CrossSpec[] {
  return layers.flatMap(({ cross }) => cross ?? []);
}

/** Elements from a position's queries to the next one's: a product of its own writes whole tiles. */
export function crossQueryStride({ numQHeads, headDim }: AttentionSpec): number {
  return paddedWidth(numQHeads * paddedHeadDim(headDim));
}
