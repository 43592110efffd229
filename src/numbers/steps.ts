// steps.ts: whole numbers of steps for the quantised types, on the host. Shader side: lib/steps.wgsl, with the same results.
import { bf16Bits, bf16Value } from './halves.ts';

/** Bits of the least scale, 2^-126: smaller numbers may be read as zero. */
export const LEAST_SCALE = 0x0080;

/** Bits of the scale of a block with NaN or infinity. */
const NAN_SCALE = 0x7fc0;

/**
 * bfloat16 bits of the least scale of which `magnitude` is at most 257/256 * steps: exactly `steps` (7, 8 or 127), once that
 * is rounded, and what is read back gets the same scale again. 0 for 0, NaN for what is not finite.
 */
export function scaleFor(magnitude: number, steps: number): number {
  if (magnitude === 0) return 0;
  if (!Number.isFinite(magnitude)) return NAN_SCALE;
  const most = (steps * 257) / 256;
  const nearest = Math.max(LEAST_SCALE, bf16Bits(magnitude / most));
  // The product is exact: it has 24 bits at most.
  return bf16Value(nearest) * most < magnitude ? nearest + 1 : nearest;
}

/** value / scale as a whole number, ties to even; 0 for a scale of 0 or NaN. */
export function stepsOf(value: number, scale: number): number {
  if (scale === 0 || Number.isNaN(scale)) return 0;
  const steps = value / scale;
  const floor = Math.floor(steps);
  if (steps - floor !== 0.5) return Math.round(steps);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Bits of the largest scale of which 8 steps are finite. */
const LARGEST_OF_EIGHT = 0x7dff;

/**
 * bfloat16 bits of the scale of elements of int4 between -negative and positive (magnitudes). The larger one is 8 steps, at
 * the end of the range that has so many; where the other end would need more than its 7, or 8 are not finite, it is 7.
 */
export function int4Scale(positive: number, negative: number): number {
  const largest = Math.max(positive, negative);
  const ofEight = scaleFor(largest, 8);
  const other = stepsOf(Math.min(positive, negative), bf16Value(ofEight));
  if (other > 7 || ofEight > LARGEST_OF_EIGHT) return scaleFor(largest, 7);
  // Eight steps lie below zero: the scale is negative where the largest magnitude is a positive element's.
  return positive > negative ? 0x8000 | ofEight : ofEight;
}
