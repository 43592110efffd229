// tokens.ts: the kernels of training at both ends of a model, in all variants.
import type { Kernel } from '../../../src/kernels/kernel.ts';
import { crossEntropy, embedBack, embedRows } from '../../../src/kernels/train/tokens.ts';

const BOTH = [false, true];

export function tokenKernels(): Kernel[] {
  return [
    ...BOTH.map((positions) => embedRows({ positions })),
    embedBack(),
    ...BOTH.flatMap((teacher) => BOTH.map((software) => crossEntropy({ teacher }, { software }))),
  ];
}
