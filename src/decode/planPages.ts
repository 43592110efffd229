// planPages.ts: where the tokens of a step lie in a cache of pages, which takes pages for those that are not there yet.
import type { KvCache } from '../cache/kvCache.ts';
import { checkKvLens } from '../cache/layout.ts';
import { pagesOf } from '../cache/pagePool.ts';
import type { PlanPages } from './stepParts.ts';

/**
 * The pages of a step over these lengths; undefined in a cache without pages. Throws OutOfPagesError when there are too few, and
 * ShapeError for lengths that cannot be: nothing has changed then.
 */
export function planPages(
  { layout, lengths, pageTables }: KvCache,
  kvLens: readonly number[],
): PlanPages | undefined {
  if (!pageTables) return undefined;
  checkKvLens('plan', kvLens, layout.batch, layout.capacity);
  pageTables.reserve(
    kvLens.map((_, b) => lengths.shortest(b)),
    kvLens,
  );
  const lists = kvLens.map((kvLen, b) => pageTables.pagesOf(b).slice(0, pagesOf(kvLen, layout.pageSize!)));
  return { lists, versions: [...pageTables.versions] };
}
