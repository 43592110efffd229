// pagePool.ts: how many pages a cache has, and of how many tokens; pure.
import { ShapeError } from '../device/errors.ts';
import { checkOneOf, checkWhole, describe } from '../device/options.ts';
import { mostFitting } from './headSegments.ts';

/** Who says which pages a sequence has: the cache, which takes and frees them, or its caller, by `KvCache.setPages`. */
export type PageTableOwner = 'cache' | 'caller';

const OWNERS: readonly PageTableOwner[] = ['cache', 'caller'];

/** Options of a cache of pages. */
export interface PoolOptions {
  /**
   * Tokens of a page: 8, 16, 32, 64, 128 or 256. Sequences take pages of a common pool as they grow, and forks share them.
   * Default: none, each sequence has `capacity` slots of its own.
   */
  readonly pageSize?: number;
  /** Pages of the pool, the same in all layers, 1 to 2^24. Default: as many as all sequences take at their full capacity. */
  readonly pages?: number;
  /** Who says which pages a sequence has. Default the cache. */
  readonly pageTables?: PageTableOwner;
}

/** The pages of a cache. */
export interface PagePool {
  readonly pageSize: number;
  readonly pages: number;
  readonly pageTables: PageTableOwner;
  /** Bindings that the pages of a layer's K, or V, are spread over, and pages of each: those of one number lie in one of them in all layers. */
  readonly segments: number;
  readonly segmentPages: number;
}

/** Even, so that no two heads' scales share 32 bits; powers of two, so that a token's page is a shift. */
export const PAGE_SIZES: readonly number[] = [8, 16, 32, 64, 128, 256];

const MAX_PAGES = 2 ** 24;

/** Pages of a sequence of so many tokens. */
export function pagesOf(tokens: number, pageSize: number): number {
  return Math.ceil(tokens / pageSize);
}

/** The pool, if there is one, in one segment. Throws ShapeError for what is none. */
export function poolOf(
  { pageSize, pages, pageTables }: PoolOptions,
  batch: number,
  capacity: number,
): PagePool | undefined {
  if (pageSize === undefined) {
    for (const [name, given] of Object.entries({ pages, pageTables })) {
      if (given === undefined) continue;
      throw new ShapeError(`cache: ${name}: expected a pageSize beside it, got ${describe(given)} alone`);
    }
    return undefined;
  }
  checkOneOf('cache: pageSize', pageSize, PAGE_SIZES);
  if (pages !== undefined) checkWhole('cache: pages', pages, 1, MAX_PAGES);
  if (pageTables !== undefined) checkOneOf('cache: pageTables', pageTables, OWNERS);
  const count = pages ?? batch * pagesOf(capacity, pageSize);
  return { pageSize, pages: count, pageTables: pageTables ?? 'cache', segments: 1, segmentPages: count };
}

/**
 * The same pool in as few segments as are within what a binding may have. `bytesOf` says how many the largest of the layers' K and V
 * takes of so many pages. Of pages that do not fit one by one each is a segment, for the caller to refuse.
 */
export function segmented(pool: PagePool, mostBytes: number, bytesOf: (pages: number) => number): PagePool {
  if (bytesOf(pool.pages) <= mostBytes) return pool;
  const most = mostFitting(pool.pages, (pages) => bytesOf(pages) <= mostBytes);
  const segments = Math.ceil(pool.pages / Math.max(1, most));
  return { ...pool, segments, segmentPages: Math.ceil(pool.pages / segments) };
}
