// steps.ts: whole numbers of steps for the quantised types, on the host. Shader side: lib/steps.wgsl, with the same results.
import { bf16Bits, bf16Value } from './halves.ts';

/** Bits of the least scale, 2^-126: smaller numbers may be read as zero. */
export const LEAST_SCALE = 0x0080;

/** Bits of the scale of a block with NaN or infinity. */
const NAN_SCALE = 0x7fc0;

/**
 * bfloat16 bits of the least scale with which `magnitude` is at most `steps` (7.5, 8 or 127) steps, so that nothing is cut
 * off because a scale was rounded down. 0 for 0, NaN for what is not finite.
 */
export function scaleFor(magnitude: number, steps: number): number {
  if (magnitude === 0) return 0;
  if (!Number.isFinite(magnitude)) return NAN_SCALE;
  const nearest = Math.max(LEAST_SCALE, bf16Bits(magnitude / steps));
  // The product is exact: it has 15 bits at most.
  return bf16Value(nearest) * steps < magnitude ? nearest + 1 : nearest;
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

/** How a block of int4 is stored. */
export interface Int4Scale {
  /** bfloat16 bits. */
  readonly bits: number;
  /** Steps from `least` to `most`. */
  readonly least: number;
  readonly most: number;
}

/**
 * The scale of elements between -negative and positive (magnitudes). The larger of the two takes the end of the range that
 * has 8 steps; the other end has 7, and a step is so large that the other one loses no more than half of one.
 */
export function int4Scale(positive: number, negative: number): Int4Scale {
  const largest = Math.max(positive, negative);
  const ofEight = Math.max(scaleFor(largest, 8), scaleFor(Math.min(positive, negative), 7.5));
  const symmetric = ofEight > LARGEST_OF_EIGHT;
  const bits = symmetric ? scaleFor(largest, 7.5) : ofEight;
  // Eight steps lie below zero: the scale is negative where the largest magnitude is a positive element's.
  const sign = positive >= negative && largest !== 0 && Number.isFinite(largest) ? 0x8000 : 0;
  return { bits: sign | bits, least: symmetric ? -7 : -8, most: 7 };
}
