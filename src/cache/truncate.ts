// truncate.ts: forgets tokens from the end, of one sequence or of all.
import { checkOptions, checkWhole, type Known } from '../device/options.ts';
import { checkKvLens } from './layout.ts';
import type { CacheParts } from './parts.ts';

/** Which sequence forgets tokens. */
export interface TruncateOptions {
  /** From 0. Default: all of them. */
  readonly sequence?: number;
}

const TRUNCATE_OPTIONS = { sequence: true } satisfies Known<TruncateOptions>;

/** `KvCache.truncate`. */
export function truncate(
  cache: CacheParts,
  kvLens: number | readonly number[],
  options: TruncateOptions,
): void {
  checkOptions('truncate', options, TRUNCATE_OPTIONS);
  const { batch, capacity, layers } = cache.layout;
  const { sequence } = options;
  if (sequence !== undefined) {
    checkWhole('truncate: sequence', sequence, 0, batch - 1);
    checkWhole('truncate: kvLens', kvLens as number, 0, capacity);
    cache.lengths.truncateSequence(sequence, kvLens as number);
    cache.tables?.shorten(sequence, kvLens as number);
    return;
  }
  const wanted = typeof kvLens === 'number' ? Array.from({ length: batch }, () => kvLens) : kvLens;
  checkKvLens('truncate', wanted, batch, capacity);
  cache.lengths.truncate(wanted);
  wanted.forEach((kvLen, b) => cache.tables?.shorten(b, kvLen));
  cache.status.giveUp(Array.from({ length: layers }, (_, layer) => layer));
}
