// headSegments.ts: a layer's KV heads, counted over all sequences, in as many bindings as they take; pure.
import { spreadsHeads, type CacheFormat } from '../kernels/lib.ts';
import type { RowsLayout } from '../numbers/elements.ts';

/** Into how many segments a layer is divided, and KV heads of each, counted over all sequences: all segments have as many, of whole sequences or of one. */
export interface HeadSpread {
  readonly segments: number;
  readonly segmentHeads: number;
}

/** KV heads of a segment: `heads` from `firstHead` on, of `sequences` sequences from `firstSequence` on. */
export interface SegmentHeads {
  readonly firstSequence: number;
  readonly sequences: number;
  readonly firstHead: number;
  readonly heads: number;
}

/** Where a KV head of a sequence lies: counted in its segment. */
export interface HeadPlace {
  readonly segment: number;
  readonly head: number;
}

/** The most of 1 to `count` that fit, if any do: 0 where none does. */
export function mostFitting(count: number, fits: (part: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * As few segments as have room for so many heads each: of whole sequences, or of some heads of one where a sequence does not fit. Of heads
 * that do not fit one by one each is a segment, for the caller to refuse.
 */
export function spreadHeads(batch: number, numKvHeads: number, fits: (heads: number) => boolean): HeadSpread {
  if (fits(batch * numKvHeads)) return { segments: 1, segmentHeads: batch * numKvHeads };
  const sequences = mostFitting(batch, (count) => fits(count * numKvHeads));
  if (sequences > 0) {
    const each = shareOf(batch, sequences);
    return { segments: Math.ceil(batch / each), segmentHeads: each * numKvHeads };
  }
  const each = shareOf(numKvHeads, Math.max(1, mostFitting(numKvHeads, fits)));
  return { segments: batch * Math.ceil(numKvHeads / each), segmentHeads: each };
}

/** Room for nothing that segments may have, of all that they hold. */
const MOST_EMPTY = 1 / 8;

/** How many of `total` each segment has, `most` of them at most: in as few segments as leave little room empty. */
function shareOf(total: number, most: number): number {
  for (let segments = Math.ceil(total / most); ; segments++) {
    const each = Math.ceil(total / segments);
    if (Math.ceil(total / each) * each <= total * (1 + MOST_EMPTY)) return each;
  }
}

/** What of a layer says where its heads lie. */
type Spread = Pick<CacheFormat, 'pageSize'> & HeadSpread & { readonly numKvHeads: number };

/** Sequences of a segment, at least one; and segments that a sequence is in. */
function sharesOf({ numKvHeads, segmentHeads }: Spread): { sequences: number; segments: number } {
  return {
    sequences: Math.max(1, Math.floor(segmentHeads / numKvHeads)),
    segments: Math.ceil(numKvHeads / segmentHeads),
  };
}

/** What a segment has of a layer whose heads are spread. */
export function headsOf(layer: Spread, batch: number, segment: number): SegmentHeads {
  const { numKvHeads, segmentHeads } = layer;
  const { sequences, segments } = sharesOf(layer);
  const firstSequence = Math.floor(segment / segments) * sequences;
  const firstHead = (segment % segments) * segmentHeads;
  return {
    firstSequence,
    sequences: Math.min(sequences, batch - firstSequence),
    firstHead,
    heads: Math.min(segmentHeads, numKvHeads - firstHead),
  };
}

/** The segments that some of a sequence's heads lie in, of a layer without pages. */
export function segmentsOf(layer: Spread, b: number): number[] {
  if (!spreadsHeads(layer)) return [0];
  const { sequences, segments } = sharesOf(layer);
  const first = Math.floor(b / sequences) * segments;
  return Array.from({ length: segments }, (_, i) => first + i);
}

/** How many segments those are. */
export function segmentsPerSequence(layer: Spread): number {
  return spreadsHeads(layer) ? sharesOf(layer).segments : 1;
}

/** Where a head of a sequence lies, of a layer without pages. */
export function placeOfHead(layer: Spread, b: number, hk: number): HeadPlace {
  const { numKvHeads, segmentHeads } = layer;
  const { sequences, segments } = sharesOf(layer);
  return {
    segment: Math.floor(b / sequences) * segments + Math.floor(hk / segmentHeads),
    head: (b % sequences) * numKvHeads + (hk % segmentHeads),
  };
}

/** Most KV heads that a dispatch over a segment has of a sequence. */
export function headsOfDispatch(layer: Spread): number {
  return spreadsHeads(layer) ? Math.min(layer.numKvHeads, layer.segmentHeads) : layer.numKvHeads;
}

/** The rows of a segment of K or V. */
export function segmentRows(rows: RowsLayout, { segmentHeads }: HeadSpread): RowsLayout {
  return { ...rows, heads: segmentHeads };
}
