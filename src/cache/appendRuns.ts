// appendRuns.ts: an append to a cache of several segments, cut where the pages of its tokens change from one to another.

import type { TokenRun } from '../kernels/appendKv.ts';

/** What of an append one dispatch does: in one segment, of each sequence some tokens in a row. */
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
