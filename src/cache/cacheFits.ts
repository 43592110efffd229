// cacheFits.ts: whether a cache's K and V fit the bindings of a device; pure.
import { checkBufferBytes } from '../device/deviceFacts.ts';
import { storedBytes } from '../numbers/elements.ts';
import type { BufferLimits, CacheLayout, LayerLayout } from './layout.ts';
import { PAGE_SIZES } from './pagePool.ts';

/**
 * Throws LimitExceededError when a segment is larger than a binding may be: it is then of one page, or of one KV head of one sequence.
 * `hint`: what would fit.
 */
export function checkSegments(where: string, layout: CacheLayout, limits: BufferLimits, hint?: string): void {
  const what = layout.pageSize === undefined ? 'one KV head of a sequence' : 'one page';
  for (const { segments, kBytes, vBytes } of new Set(layout.perLayer)) {
    checkBufferBytes(limits, `${where}: K of ${what}`, kBytes / segments, hint);
    checkBufferBytes(limits, `${where}: V of ${what}`, vBytes / segments, hint);
  }
}

/** The same for callers who may choose pages, by an option of that name: the message says where these would fit. */
export function checkCacheFits(
  where: string,
  layout: CacheLayout,
  limits: BufferLimits,
  option = 'pageSize',
): void {
  const inPages = layout.perLayer.every((layer) => pagesFit(layer, layout, limits));
  checkSegments(where, layout, limits, inPages ? `in pages (\`${option}\`) it would fit` : undefined);
}

/** Whether a layer would fit in the smallest pages, if it had none. */
function pagesFit(
  { numKvHeads, k, v, ring }: LayerLayout,
  { pageSize }: CacheLayout,
  { maxBindingBytes, maxBufferBytes }: BufferLimits,
): boolean {
  if (ring !== undefined || pageSize !== undefined) return false;
  const bytes = [k, v].map((rows) => storedBytes({ ...rows, heads: numKvHeads, capacity: PAGE_SIZES[0]! }));
  return Math.max(...bytes) <= Math.min(maxBindingBytes, maxBufferBytes);
}
