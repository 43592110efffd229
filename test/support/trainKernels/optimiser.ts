// optimiser.ts: the kernels of training from gradients to parameters.
import type { Kernel } from '../../../src/kernels/kernel.ts';
import { adamw, squareSums, stepFigures } from '../../../src/kernels/train/optimiser.ts';

export function optimiserKernels(): Kernel[] {
  return [squareSums(), stepFigures(), adamw()];
}
