// liveKeys.ts: which keys of a sequence a step reads: all, or those that a window and kept sink tokens leave.
import type { GqaShape } from '../kernels/shape.ts';

/** Keys `begin` to `end` - 1. */
export interface KeyRange {
  readonly begin: number;
  readonly end: number;
}

/**
 * The keys that any of a sequence's positions sees, in order: none without a position, and two ranges where the window of the first
 * position, which begins the earliest, has left the sink tokens behind. All positions see all of these then.
 */
export function liveKeys({ features }: GqaShape, kvLen: number, qLen: number): readonly KeyRange[] {
  const { window, sinkTokens = 0 } = features;
  if (qLen === 0 || kvLen === 0) return [];
  const first = window === undefined ? 0 : Math.max(0, kvLen - (window + qLen - 1));
  if (sinkTokens === 0) return [{ begin: first, end: kvLen }];
  if (first <= sinkTokens) return [{ begin: 0, end: kvLen }];
  return [
    { begin: 0, end: sinkTokens },
    { begin: first, end: kvLen },
  ];
}

/** Most ranges that `liveKeys` gives. */
export function mostRanges({ features }: GqaShape): number {
  return features.sinkTokens ? 2 : 1;
}

/** How many keys these are. */
export function countKeys(ranges: readonly KeyRange[]): number {
  return ranges.reduce((sum, { begin, end }) => sum + end - begin, 0);
}
