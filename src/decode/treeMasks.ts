// treeMasks.ts: which of a step's own keys each of its positions sees, checked and flattened.
import { ShapeError } from '../device/errors.ts';
import { describe } from '../device/options.ts';
import type { GqaShape } from '../kernels/shape.ts';

/**
 * For each sequence and position of a step 64 bits: bit j says whether the position sees the step's j-th key. No position sees
 * a later one.
 */
export type TreeMasks = readonly (readonly bigint[])[];

/**
 * The bits of as many positions for each sequence as the one with the most has, [B, most], 0 for those it does not have. Throws ShapeError where they are missing, not wanted, or show later keys.
 */
export function checkTreeMasks(
  masks: TreeMasks | undefined,
  { batch, features }: GqaShape,
  qLens: readonly number[],
): readonly bigint[] {
  if (!features.treeMask) {
    if (masks === undefined) return [];
    throw new ShapeError(
      'plan: treeMasks: expected a decoder that was created with features: { treeMask: true }',
    );
  }
  if (masks === undefined)
    throw new ShapeError(
      'plan: treeMasks: expected them, as the decoder has features: { treeMask: true }; got none',
    );
  checkListOf('plan: treeMasks', masks, batch);
  const most = qLens.reduce((longest, qLen) => Math.max(longest, qLen), 0);
  return masks.flatMap((ofSequence, b) => {
    checkListOf(`plan: treeMasks[${b}]`, ofSequence, qLens[b]!);
    ofSequence.forEach((bits, i) => checkBits(`plan: treeMasks[${b}][${i}]`, bits, i));
    return Array.from({ length: most }, (_, i) => ofSequence[i] ?? 0n);
  });
}

function checkListOf(where: string, list: readonly unknown[], count: number): void {
  if (Array.isArray(list) && list.length === count) return;
  const got = Array.isArray(list) ? list.length : describe(list);
  throw new ShapeError(`${where}: expected ${count} entries, got ${got}`);
}

function checkBits(where: string, bits: bigint, position: number): void {
  if (typeof bits !== 'bigint' || bits < 0n) {
    throw new ShapeError(`${where}: expected a bigint of bits, got ${describe(bits)}`);
  }
  if (bits >> BigInt(position + 1) !== 0n) {
    const top = bits.toString(2).length - 1;
    throw new ShapeError(
      `${where}: expected no key later than position ${position}'s own, got bit ${top}: the decoder is causal`,
    );
  }
}
