// cacheFits.ts: whether a cache's K and V fit the bindings of a device; pure.
import { checkBufferBytes } from '../device/deviceFacts.ts';
import { LimitExceededError } from '../device/errors.ts';
import { storedBytes } from '../numbers/elements.ts';
import type { BufferLimits, CacheLayout, LayerLayout } from './layout.ts';
import { PAGE_SIZES } from './pagePool.ts';

/** Throws LimitExceededError when a segment is larger than a binding may be: it is then of one page, or of one KV head of one sequence. */
export function checkSegments(where: string, layout: CacheLayout, limits: BufferLimits): void {
  const what = layout.pageSize === undefined ? 'one KV head of a sequence' : 'one page';
  for (const { segments, kBytes, vBytes } of new Set(layout.perLayer)) {
    checkBufferBytes(limits, `${where}: K of ${what}`, kBytes / segments);
    checkBufferBytes(limits, `${where}: V of ${what}`, vBytes / segments);
  }
}

/** The same for callers who may choose pages, by an option of that name: the message says where these would fit. */
export function checkCacheFits(
  where: string,
  layout: CacheLayout,
  limits: BufferLimits,
  option = 'pageSize',
): void {
  try {
    checkSegments(where, layout, limits);
  } catch (error) {
    if (
      error instanceof LimitExceededError &&
      layout.perLayer.every((layer) => pagesFit(layer, layout, limits))
    )
      error.message += `; in pages (\`${option}\`) it would fit`;
    throw error;
  }
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
