// split.ts: how many keys a workgroup takes, so that a step fills the device and no more.
import { ShapeError } from '../device/errors.ts';
import { headsOfDispatch, segmentsOf } from '../cache/headSegments.ts';
import type { CacheLayout } from '../cache/layout.ts';
import { checkBoolean, checkWhole } from '../device/options.ts';
import { workgroupsPerItem } from '../kernels/fused.ts';
import { spreadsHeads } from '../kernels/lib.ts';
import type { KeyRange } from './liveKeys.ts';
import { type PlanContext, SPLIT_GRAIN } from './planContext.ts';

/** Options that fix the splits, for decoders with `fixedSplits`. */
export interface SplitOptions {
  /**
   * This many splits of the longest run of keys, 1 to `PlanContext.maxSplits` (128 at most, or as many as fill the device where
   * that is more); fewer where whole grains of 32 keys do not come to as many. A sequence is one run, and two where a window has
   * left its sink tokens behind. Default: as many as keep the device busy.
   */
  readonly numSplits?: number;
  /**
   * A split length that depends on the capacity alone: a sequence's result then has the same bits whatever else is
   * in the batch and however long the others are. Default false.
   */
  readonly deterministic?: boolean;
}

/** Split length of the deterministic mode, and most splits it makes of a full cache. */
const FIXED_SPLIT_LEN = 256;
const FIXED_SPLITS = 64;

export function longestOf(kvLens: readonly number[]): number {
  let longest = 0;
  for (const kvLen of kvLens) longest = Math.max(longest, kvLen);
  return longest;
}

/** The keys of each sequence, as `liveKeys` gives them. */
type Live = readonly (readonly KeyRange[])[];

/** Keys of the longest range, at least 1. */
export function longestRange(live: Live): number {
  let longest = 1;
  for (const ranges of live) {
    for (const { begin, end } of ranges) longest = Math.max(longest, end - begin);
  }
  return longest;
}

/** Keys per split; `qLen`: most query positions of a sequence. */
export function chooseSplitLen(
  context: PlanContext,
  live: Live,
  qLen: number,
  { numSplits, deterministic }: SplitOptions,
): number {
  const longest = longestRange(live);
  if (deterministic !== undefined) checkBoolean('plan: deterministic', deterministic);
  if (numSplits !== undefined && deterministic) {
    throw new ShapeError('plan: expected numSplits or deterministic, got both');
  }
  if ((numSplits !== undefined || deterministic) && !context.fixedSplits) {
    const name = deterministic ? 'deterministic' : 'numSplits';
    throw new ShapeError(`plan: ${name}: expected a decoder that was created with fixedSplits: true`);
  }
  if (numSplits !== undefined) return askedSplitLen(context, live, longest, numSplits);
  if (deterministic) return fixedSplitLen(context, live, longest);
  const splitLen = smallestFitting(context, live, qLen, longest);
  checkPartials(context, live, splitLen);
  return splitLen;
}

function askedSplitLen(context: PlanContext, live: Live, longest: number, numSplits: number): number {
  checkWhole('plan: numSplits', numSplits, 1, context.maxSplits);
  const splitLen = roundUp(Math.ceil(longest / numSplits));
  checkPartials(context, live, splitLen);
  return splitLen;
}

function fixedSplitLen(context: PlanContext, live: Live, longest: number): number {
  const forCapacity = Math.ceil(context.layout.capacity / FIXED_SPLITS);
  const splitLen = roundUp(Math.max(FIXED_SPLIT_LEN, forCapacity));
  checkWhole(
    `plan: deterministic splits of ${splitLen} keys`,
    Math.ceil(longest / splitLen),
    1,
    context.maxSplits,
  );
  checkPartials(context, live, splitLen);
  return splitLen;
}

/** Throws ShapeError where a large batch leaves no scratch memory for so many splits. */
function checkPartials({ maxPartials }: PlanContext, live: Live, splitLen: number): void {
  checkWhole(
    `plan: partial states of splits of ${splitLen} keys`,
    partialsOf(live, splitLen),
    0,
    maxPartials,
  );
}

/**
 * The smallest split length whose workgroups fit the slots, by binary search over multiples of the grain
 * (FlashInfer's scheduler: include/flashinfer/attention/scheduler.cuh).
 */
function smallestFitting(context: PlanContext, live: Live, qLen: number, longest: number): number {
  const { shape, variant, slots, wholeLen, minSplitLen, maxSplits, maxPartials } = context;
  const { layout } = context;
  const perItem = workgroupsPerItem(shape, variant, qLen, headsOfDispatch(layout));
  const busiest = (splitLen: number) =>
    layout.segments > 1 ? mostInSegment(layout, live, splitLen) : itemsOf(live, splitLen);
  const fits = (splitLen: number) =>
    busiest(splitLen) * perItem <= slots && partialsOf(live, splitLen) <= maxPartials;
  if (longest <= wholeLen) return wholeLen;
  const least = Math.max(minSplitLen, roundUp(Math.ceil(longest / maxSplits)));
  let low = least / SPLIT_GRAIN;
  let high = Math.max(low, roundUp(longest) / SPLIT_GRAIN);
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle * SPLIT_GRAIN)) high = middle;
    else low = middle + 1;
  }
  return low * SPLIT_GRAIN;
}

function itemsOf(live: Live, splitLen: number): number {
  let items = 0;
  for (const ranges of live) items += splitsOf(ranges, splitLen);
  return items;
}

/** Items of the segment that has the most: segments are dispatches, which run one after the other. */
function mostInSegment(layout: CacheLayout, live: Live, splitLen: number): number {
  const items = new Map<number, number>();
  for (const [b, ranges] of live.entries()) {
    // Segments of one sequence have as many of it.
    const own = spreadsHeads(layout) ? segmentsOf(layout, b)[0]! : 0;
    for (const { begin, end, segment = own } of ranges) {
      items.set(segment, (items.get(segment) ?? 0) + Math.ceil((end - begin) / splitLen));
    }
  }
  return Math.max(0, ...items.values());
}

function partialsOf(live: Live, splitLen: number): number {
  let partials = 0;
  for (const ranges of live) {
    const splits = splitsOf(ranges, splitLen);
    if (splits > 1) partials += splits;
  }
  return partials;
}

/** Splits of a sequence: each is of one range. */
export function splitsOf(ranges: readonly KeyRange[], splitLen: number): number {
  let splits = 0;
  for (const { begin, end } of ranges) splits += Math.ceil((end - begin) / splitLen);
  return splits;
}

function roundUp(keys: number): number {
  return Math.ceil(keys / SPLIT_GRAIN) * SPLIT_GRAIN;
}
