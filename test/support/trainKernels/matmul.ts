// matmul.ts: the products of matrices that training takes, in as few kinds as have every two options together, for CPUs and for GPUs.
import type { Kernel } from '../../../src/kernels/kernel.ts';
import { matmul, type MatmulKind } from '../../../src/kernels/train/matmul.ts';
import { everyTwo } from '../pairs.ts';

const BOTH = [false, true] as const;

/** Kinds that have every two options together. */
export const MATMUL_KINDS: readonly MatmulKind[] = everyTwo({
  form: ['outputs', 'inputs', 'weights'] as const,
  bias: BOTH,
  residual: BOTH,
  accumulates: BOTH,
});

/** Their kernels. */
export function matmulKernels(): Kernel[] {
  return BOTH.flatMap((software) => MATMUL_KINDS.map((kind) => matmul(kind, { software })));
}
