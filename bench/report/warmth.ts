// warmth.ts: how a row's caches stood to the last-level cache, in a word and in a sentence.
import { formatBytes } from '../text/format.ts';
import type { BenchResult, BenchRow } from '../schema/schema.ts';
import type { StoredRow } from '../schema/storedSchema.ts';

/** `hot`: one cache is read again and again, as asked; `warm`: copies in turn, but too few bytes of them; else `cold`. */
export type Warmth = 'cold' | 'warm' | 'hot';

export function warmthOf({ params, cold }: StoredRow): Warmth {
  if (params.cache === 'hot') return 'hot';
  return cold ? 'cold' : 'warm';
}

/** Why a row that is not cold has no share of the memory ceiling. */
export function warmthReason(row: BenchRow): string {
  if (warmthOf(row) === 'hot') return 'one cache is read again and again: a last-level cache may hold it';
  return `all its copies together (${formatBytes(row.workingSetBytes)}) may lie in a last-level cache`;
}

/** A line for each word that the table has beside `cold`: which rows, and what it means. */
export function warmthNotes({ context }: BenchResult, shown: readonly BenchRow[]): string[] {
  const timed = shown.filter(({ time, params }) => time && params.prompt === undefined);
  const warm = timed.filter((row) => warmthOf(row) === 'warm');
  const hot = timed.filter((row) => warmthOf(row) === 'hot');
  return [
    ...(warm.length > 0 ? [`note     warm: ${warmSentence(warm, context)}`] : []),
    ...(hot.length > 0
      ? ['note     hot: one cache is read again and again, as asked; the memory ceiling does not apply']
      : []),
  ];
}

function warmSentence(rows: readonly BenchRow[], context: BenchResult['context']): string {
  const { coldBytes, lastLevelCacheBytes } = context;
  const sizes = rows.map(({ workingSetBytes }) => workingSetBytes);
  const sets = [...new Set([Math.min(...sizes), Math.max(...sizes)])].map(formatBytes).join(' to ');
  const most = Math.max(...sizes);
  let reason = `are less than the ${formatBytes(coldBytes)} that count as cold here`;
  if (lastLevelCacheBytes !== undefined) {
    const fits = most <= lastLevelCacheBytes ? 'fit' : 'are less than twice';
    reason = `${fits} the last-level cache (${formatBytes(lastLevelCacheBytes)})`;
  }
  const which = rows.length === 1 ? `all copies of ${rows[0]!.id}` : `all copies of a row's caches`;
  return `${which} together (${sets}) ${reason}: what is read may come from it, and the memory ceiling does not apply`;
}
