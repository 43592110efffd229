// liveKeys.ts: which keys of a sequence a step reads: all, or those that a window and kept sink tokens leave.
import type { GqaShape } from '../kernels/shape.ts';

/** Keys `begin` to `end` - 1. */
export interface KeyRange {
  readonly begin: number;
  readonly end: number;
  /** The segment that their pages lie in; 0 where there is one. */
  readonly segment?: number;
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

/** What of the ranges does not come before a key. */
export function fromKey(ranges: readonly KeyRange[], first: number): readonly KeyRange[] {
  if (first === 0) return ranges;
  return ranges.flatMap(({ begin, end }) => (end > first ? [{ begin: Math.max(begin, first), end }] : []));
}

/** Where the pages of a cache lie. */
interface Segments {
  readonly pageSize?: number;
  readonly segments?: number;
  readonly segmentPages?: number;
}

/** Cuts ranges where the pages of a sequence change from one segment to another. */
export function cutBySegments(
  ranges: readonly KeyRange[],
  pages: readonly number[],
  { pageSize = 1, segments = 1, segmentPages = 1 }: Segments,
): readonly KeyRange[] {
  if (segments === 1) return ranges;
  const segmentOf = (page: number) => Math.floor(pages[page]! / segmentPages);
  const cut: KeyRange[] = [];
  for (const range of ranges) {
    let { begin } = range;
    while (begin < range.end) {
      let page = Math.floor(begin / pageSize);
      const segment = segmentOf(page);
      while (page * pageSize < range.end && segmentOf(page) === segment) page++;
      const end = Math.min(range.end, page * pageSize);
      cut.push({ begin, end, segment });
      begin = end;
    }
  }
  return cut;
}

/** Most ranges that `liveKeys` gives. */
export function mostRanges({ features }: GqaShape): number {
  return features.sinkTokens ? 2 : 1;
}

/** How many keys these are. */
export function countKeys(ranges: readonly KeyRange[]): number {
  return ranges.reduce((sum, { begin, end }) => sum + end - begin, 0);
}
