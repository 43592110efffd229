// appendRuns.ts: an append to a layer of several segments: cut where the pages of its tokens change from one to another, or by heads.
import type { TokenRun } from '../kernels/appendKv.ts';
import { headsOf, type SegmentHeads } from './headSegments.ts';
import type { LayerLayout } from './layout.ts';

/** What of an append one dispatch does: in one segment, of each sequence some tokens in a row, or of some heads all. */
export interface AppendRun extends TokenRun {
  readonly segment: number;
  /** The most tokens that a sequence has of it. */
  readonly most: number;
}

interface Pages {
  pagesOf(b: number): readonly number[];
}

/**
 * The runs of an append of `counts` tokens behind `kvLens`, in an order in which a sequence's tokens follow each other. As few as there
 * are segments, unless a sequence comes back to one.
 */
export function appendRuns(
  tables: Pages,
  kvLens: readonly number[],
  counts: ArrayLike<number>,
  { pageSize, segmentPages }: { readonly pageSize: number; readonly segmentPages: number },
): AppendRun[] {
  const batch = kvLens.length;
  const done = new Uint32Array(batch);
  const segmentOf = (b: number, token: number) =>
    Math.floor(tables.pagesOf(b)[Math.floor(token / pageSize)]! / segmentPages);
  const runs: AppendRun[] = [];
  for (;;) {
    const first = done.findIndex((count, b) => count < counts[b]!);
    if (first < 0) return runs;
    const segment = segmentOf(first, kvLens[first]! + done[first]!);
    const skipped = done.slice();
    for (let b = 0; b < batch; b++) {
      const end = kvLens[b]! + counts[b]!;
      let token = kvLens[b]! + done[b]!;
      while (token < end && segmentOf(b, token) === segment) token += pageSize - (token % pageSize);
      done[b] = Math.min(token, end) - kvLens[b]!;
    }
    const taken = done.map((count, b) => count - skipped[b]!);
    runs.push({ segment, skipped, taken, most: Math.max(...taken) });
  }
}

/** An append of some heads. */
export interface HeadsRun extends AppendRun {
  readonly heads: SegmentHeads;
}

/** The runs of an append of `counts` tokens to a layer whose heads are spread: one of each segment that has some of them. */
export function headsRuns(layer: LayerLayout, counts: ArrayLike<number>): HeadsRun[] {
  const batch = counts.length;
  const skipped = new Uint32Array(batch);
  const runs: HeadsRun[] = [];
  for (let segment = 0; segment < layer.segments; segment++) {
    const heads = headsOf(layer, batch, segment);
    let most = 0;
    for (let i = 0; i < heads.sequences; i++) most = Math.max(most, counts[heads.firstSequence + i]!);
    if (most > 0) runs.push({ segment, heads, skipped, taken: counts, most });
  }
  return runs;
}
