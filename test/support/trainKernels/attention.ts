// attention.ts: the kernels of attention's backward pass, in all the sizes of their tiles.
import type { Kernel } from '../../../src/kernels/kernel.ts';
import { attentionDelta, attentionKeys, attentionQueries } from '../../../src/kernels/train/attention.ts';

/** Head dims whose tiles differ on a GPU: kernels are the same for smaller ones. */
const HEAD_DIMS = [64, 128, 256];

/** Each of them, with groups of one, of an odd number and of a power of two. */
export function attentionKernels(): Kernel[] {
  const groups = [1, 3, 8];
  return [
    attentionDelta(),
    ...groups
      .flatMap((groupSize) => [
        ...HEAD_DIMS.map((headDim) => ({ headDim, groupSize, software: false })),
        { headDim: 64, groupSize, software: true },
      ])
      .flatMap(({ software, ...heads }) => [
        attentionQueries(heads, { software }),
        attentionKeys(heads, { software }),
      ]),
  ];
}
