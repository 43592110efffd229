// cacheSizes.ts: the caches that layers take, heads padded; pure.
import type { CacheOptions } from '../../cache/layout.ts';
import type { KvType } from '../../numbers/elements.ts';
import { paddedHeadDim } from './headDims.ts';
import type { AttentionSpec } from './spec.ts';

/** Sizes of caches. */
export interface CacheSizes {
  readonly batch: number;
  readonly capacity: number;
  readonly kType: KvType;
  readonly vType: KvType;
}

/** The cache of these layers. */
export function cacheOptionsOf(
  layers: readonly { readonly attention: AttentionSpec }[],
  sizes: CacheSizes,
): CacheOptions {
  const shapes = layers.map(({ attention }) => ({
    numKvHeads: attention.numKvHeads,
    headDim: paddedHeadDim(attention.headDim),
  }));
  return { ...sizes, ...shapes[0]!, layers: shapes };
}
