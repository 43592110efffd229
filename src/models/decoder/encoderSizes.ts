// encoderSizes.ts: the cache that an encoder's layers take in turns; pure.
import type { CacheOptions } from '../../cache/layout.ts';
import { cacheOptionsOf } from './cacheSizes.ts';
import type { EncoderSpec } from './spec.ts';

/** Sizes of an encoder's passes. */
export interface EncoderSizes {
  readonly batch: number;
  /** Tokens of a source at most. */
  readonly sourceCapacity: number;
}

/** K and V of the layer that is being computed: f32, for they are gone after the pass. */
export function encoderCacheOptions(
  { layers }: EncoderSpec,
  { batch, sourceCapacity }: EncoderSizes,
): CacheOptions {
  return cacheOptionsOf(layers.slice(0, 1), {
    batch,
    capacity: sourceCapacity,
    kType: 'f32',
    vType: 'f32',
  });
}
