// t5.ts: T5 and its kin: an encoder, and a decoder of two modules in each layer.
import { MODULE, type Family, type PartSpec } from './family.ts';
import { NO_ROTARY, NOT_IN_CONFIG, selfAttention, separate } from './format.ts';
import { MHA, typesOf } from './types.ts';

const SELF = `decoder.block.${MODULE}.layer.0.SelfAttention`;
const CROSS = `decoder.block.${MODULE}.layer.1.EncDecAttention`;

/** A table of one number for each query head, that every layer of the decoder shares. */
const POSITION_BIAS: PartSpec = {
  name: `${SELF}.relative_attention_bias.weight`,
  order: 'q',
  axis: 1,
  rows: 'one',
  other: 'any',
  optional: true,
};

export const T5: Family = {
  name: 't5',
  types: typesOf('t5 mt5 umt5 switch_transformers', MHA),
  formats: [
    {
      // The decoder's two modules; the encoder's heads work in parallel on all tokens and keep no cache.
      name: 't5',
      modelTypes: ['t5', 'mt5', 'umt5'],
      modules: [
        selfAttention(SELF, { parts: [...separate(SELF, ['q', 'k', 'v', 'o']), POSITION_BIAS] }),
        {
          ...selfAttention(CROSS, {
            parts: separate(CROSS, ['q', 'k', 'v', 'o']),
            // Early exports carry a table that cross-attention never reads.
            unchanged: ['relative_attention_bias.weight'],
          }),
          kind: 'cross',
        },
      ],
      ...NOT_IN_CONFIG,
      ...NO_ROTARY,
      // The scale is in the initial values of the projections.
      scale: () => 1,
    },
  ],
};

/** T5's bucket of a key `distance` tokens back, for a decoder: exact up to half of the buckets, then logarithmic. */
export function t5Bucket(distance: number, buckets: number, maxDistance: number): number {
  const exact = buckets / 2;
  if (distance < exact) return distance;
  const share = Math.log(distance / exact) / Math.log(maxDistance / exact);
  return Math.min(buckets - 1, exact + Math.floor(share * (buckets - exact)));
}
