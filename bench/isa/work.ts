// work.ts: what a turn of a kernel's main loop gets done, by its sizes.
import type { FusedVariant } from '../../src/index.ts';

/**
 * Multiply-adds of an invocation in a turn of the loop: each of its elements of a key and a value, for every row and key
 * that it takes at once. Undefined for kernels whose loop has loops within.
 */
export function multiplyAdds(variant: FusedVariant, headDim: number): number | undefined {
  if (variant.template !== 'registers') return undefined;
  return 2 * (headDim / variant.lanes) * variant.teamRows * variant.tokens;
}
