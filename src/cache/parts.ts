// parts.ts: what appends, forks and snapshots share of a cache.
import type { GqaDevice } from '../device/gqaDevice.ts';
import type { CacheLayer } from './layers.ts';
import type { CacheLayout } from './layout.ts';
import type { CacheLengths } from './lengths.ts';
import { CallerTables } from './callerTables.ts';
import { PageTables } from './pageTables.ts';
import type { CacheStatus } from './status.ts';

export interface CacheParts {
  readonly device: GqaDevice;
  readonly layout: CacheLayout;
  readonly layers: readonly CacheLayer[];
  readonly lengths: CacheLengths;
  readonly status: CacheStatus;
  /** Of a cache of pages. */
  readonly tables?: PageTables | CallerTables;
}

/** The tables of a cache of pages. */
export function tablesOf(layout: CacheLayout): Pick<CacheParts, 'tables'> {
  const { batch, capacity, pages, pageSize, pageTables, segmentPages } = layout;
  if (pages === undefined || pageSize === undefined) return {};
  const isCallers = pageTables === 'caller';
  return {
    tables: isCallers
      ? new CallerTables({ batch, capacity, pages, pageSize })
      : new PageTables(batch, pages, pageSize, segmentPages),
  };
}

/** Said with every error of a device whose caches count tokens of work that was recorded or queued. */
export const ADVICE =
  'Appends, forks and loads among the work that failed did not happen, though their tokens are counted: ' +
  'cache.truncate() to the lengths known to be good puts that right.';

/** A cache in messages. */
export function nameOf({ numKvHeads, headDim, vHeadDim, capacity, kType, vType }: CacheLayout): string {
  const dims = vHeadDim === headDim ? `${headDim}` : `${headDim} (V ${vHeadDim})`;
  return `kv cache of ${numKvHeads} KV heads, head dim ${dims}, capacity ${capacity}, K ${kType}, V ${vType}`;
}
