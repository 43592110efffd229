// stepParts.ts: the items of a step and the words of its dispatches, one for each segment that has some; pure.
import { headsOf, segmentsOf, type SegmentHeads } from '../cache/headSegments.ts';
import type { CacheLayout } from '../cache/layout.ts';
import { spreadsHeads } from '../kernels/lib.ts';
import { rowStarts } from '../kernels/rowPlaces.ts';
import type { GqaShape } from '../kernels/shape.ts';
import { packStep, type StepItem, type StepSequence } from '../kernels/stepNumbers.ts';
import type { KeyRange } from './liveKeys.ts';
import type { PlanContext } from './planContext.ts';
import { longestOf } from './split.ts';

/** Where the tokens of a plan's sequences lie. */
export interface PlanPages {
  /** Pages of each sequence. */
  readonly lists: readonly (readonly number[])[];
  /** `PageTables.versions` of then. */
  readonly versions: readonly number[];
}

/** What the words of a step are made of. */
export interface StepParts {
  readonly kvLens: readonly number[];
  readonly qLens: readonly number[];
  /** Keys of each sequence that the kernel walks along. */
  readonly walked: readonly (readonly KeyRange[])[];
  readonly splitLen: number;
  readonly smScale: number;
  readonly trees: readonly bigint[];
  readonly pages: PlanPages | undefined;
}

/** The words of the `step` binding for each segment that has items, how many items all of them have, and partial states. */
export function stepParts(
  { shape, layout, q, o, lse }: PlanContext,
  { kvLens, qLens, walked, splitLen, smScale, trees, pages }: StepParts,
) {
  const starts = { q: rowStarts(q, qLens), o: rowStarts(o, qLens), lse: rowStarts(lse, qLens) };
  const sequences: StepSequence[] = [];
  const bySegment = new Map<number, StepItem[]>();
  let [items, partials] = [0, 0];
  for (const [b, kvLen] of kvLens.entries()) {
    const qLen = qLens[b]!;
    const splits = splitsInto(walked[b]!, splitLen, kvLen);
    const numSplits = qLen === 0 ? 0 : splits.length;
    const [qStart, oStart, lseStart] = [starts.q[b]!, starts.o[b]!, starts.lse[b]!];
    const list = pages && { pages: pages.lists[b]! };
    sequences.push({ kvLen, qLen, qStart, oStart, lseStart, firstState: partials, numSplits, ...list });
    for (const { segment = 0, ...keys } of splits.slice(0, numSplits)) {
      const item = { sequence: b, ...keys, ...(numSplits > 1 && { state: partials++ }) };
      for (const each of spreadsHeads(layout) ? segmentsOf(layout, b) : [segment]) {
        const own = bySegment.get(each) ?? [];
        own.push(item);
        bySegment.set(each, own);
      }
      items++;
    }
  }
  if (items === 0) bySegment.set(0, []);
  const rows = shape.groupSize * longestOf(qLens);
  const { capacity, kScales, vScales, segmentPages: headPages = 0 } = layout;
  const header = {
    capacity,
    kScales,
    vScales,
    headPages,
    numQHeads: shape.numQHeads,
    smScale,
    rows,
    q,
    o,
    lse,
  };
  const perSegment = Array.from(bySegment, ([segment, own]) => {
    const local = inSegment(sequences, segment, layout);
    const heads = spreadsHeads(layout) ? headsOf(layout, shape.batch, segment) : undefined;
    const words = packStep({ ...header, ...segmentNumbers(shape, heads) }, local, own, trees);
    return { segment, count: own.length, words, heads: heads?.heads };
  });
  return { items, partials, perSegment };
}

/** The KV heads of a segment that has not all of them, counted over all sequences. */
function segmentNumbers({ numKvHeads }: GqaShape, segment: SegmentHeads | undefined) {
  if (!segment) return {};
  const { firstSequence, sequences, firstHead, heads } = segment;
  return { firstHead: firstSequence * numKvHeads + firstHead, heads: sequences * heads };
}

/** Sequences with their pages as they are counted in a segment; those of others, which its items do not have, are any. */
function inSegment(
  sequences: readonly StepSequence[],
  segment: number,
  { segments, segmentPages }: CacheLayout,
): readonly StepSequence[] {
  if (segments === 1 || segmentPages === undefined) return sequences;
  const first = segment * segmentPages;
  const local = (page: number) => (page >= first && page < first + segmentPages ? page - first : 0);
  return sequences.map((sequence) => ({ ...sequence, pages: (sequence.pages ?? []).map(local) }));
}

/** Ranges in pieces; an empty sequence is one piece without keys, which writes its rows all the same. */
function splitsInto(ranges: readonly KeyRange[], splitLen: number, kvLen: number): KeyRange[] {
  const splits: KeyRange[] = [];
  for (const { begin, end, segment } of ranges) {
    for (let at = begin; at < end; at += splitLen) {
      splits.push({
        begin: at,
        end: Math.min(end, at + splitLen),
        ...(segment !== undefined && { segment }),
      });
    }
  }
  return splits.length > 0 ? splits : [{ begin: kvLen, end: kvLen }];
}
