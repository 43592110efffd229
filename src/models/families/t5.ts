// t5.ts: T5 and its kin: an encoder, and a decoder of two modules in each layer.
import type { Fields } from '../configFields.ts';
import type { DecoderFormat, MlpNames } from './decoderFormat.ts';
import { NO_EXTRAS } from './decoders.ts';
import { MODULE, type Family } from './family.ts';
import { NO_ROTARY, NOT_IN_CONFIG, selfAttention, separate } from './format.ts';
import type { PartSpec } from './moduleSpec.ts';
import { MHA, typesOf } from './types.ts';

const SELF = `decoder.block.${MODULE}.layer.0.SelfAttention`;
const CROSS = `decoder.block.${MODULE}.layer.1.EncDecAttention`;

const ENCODER = `encoder.block.${MODULE}.layer.0.SelfAttention`;

/** A table of one number for each query head, that every layer of a stack shares. */
const positionBias = (folder: string): PartSpec => ({
  name: `${folder}.relative_attention_bias.weight`,
  order: 'q',
  axis: 1,
  rows: 'one',
  other: 'any',
  optional: true,
});

function isGated({ feed_forward_proj: projection }: Fields): boolean {
  return typeof projection === 'string' && projection.startsWith('gated-');
}

function mlpNames(folder: string, gated: boolean): MlpNames {
  const down = `${folder}.wo.weight`;
  return gated
    ? { gate: `${folder}.wi_0.weight`, up: `${folder}.wi_1.weight`, down }
    : { up: `${folder}.wi.weight`, down };
}

/** The whole models: those of version 1.1 have a gate, and a head of their own. */
function t5Decoder(gated: boolean): DecoderFormat {
  return {
    modelTypes: ['t5'],
    when: (config) => isGated(config) === gated,
    embedding: 'shared.weight',
    finalNorm: 'decoder.final_layer_norm.weight',
    norms: {
      attention: `decoder.block.${MODULE}.layer.0.layer_norm.weight`,
      mlp: `decoder.block.${MODULE}.layer.2.layer_norm.weight`,
    },
    mlp: mlpNames(`decoder.block.${MODULE}.layer.2.DenseReluDense`, gated),
    head: 'lm_head.weight',
    scalesTiedHead: 'scale_decoder_outputs',
    tied: true,
    norm: { kind: 'rms', fields: ['layer_norm_epsilon'], usualEps: 1e-6 },
    activation: { fields: ['dense_act_fn', 'feed_forward_proj'], usual: 'relu' },
    has: () => NO_EXTRAS,
    relativeBias: { maxDistance: 'relative_attention_max_distance', usual: 128 },
    unread: /^((en|de)coder\.embed_tokens|.*\.EncDecAttention\.relative_attention_bias)\.weight$/,
    only: { is_gated_act: [gated], is_encoder_decoder: [true] },
    encoder: {
      layers: ['num_layers', 'num_hidden_layers'],
      attention: selfAttention(ENCODER, {
        parts: [...separate(ENCODER, ['q', 'k', 'v', 'o']), positionBias(ENCODER)],
      }),
      norms: {
        attention: `encoder.block.${MODULE}.layer.0.layer_norm.weight`,
        mlp: `encoder.block.${MODULE}.layer.1.layer_norm.weight`,
      },
      mlp: mlpNames(`encoder.block.${MODULE}.layer.1.DenseReluDense`, gated),
      finalNorm: 'encoder.final_layer_norm.weight',
      crossNorm: `decoder.block.${MODULE}.layer.1.layer_norm.weight`,
      startToken: ['decoder_start_token_id', 'pad_token_id'],
    },
  };
}

export const T5: Family = {
  name: 't5',
  types: typesOf('t5 mt5 umt5 switch_transformers', MHA),
  decoders: [t5Decoder(false), t5Decoder(true)],
  formats: [
    {
      // The decoder's two modules; the encoder's heads work in parallel on all tokens and keep no cache.
      name: 't5',
      modelTypes: ['t5', 'mt5', 'umt5'],
      modules: [
        selfAttention(SELF, { parts: [...separate(SELF, ['q', 'k', 'v', 'o']), positionBias(SELF)] }),
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

/** T5's bucket of a key `distance` tokens back, for a decoder: exact up to half of the buckets, then logarithmic, in f32 as T5 has it. */
export function t5Bucket(distance: number, buckets: number, maxDistance: number): number {
  const exact = Math.floor(buckets / 2);
  if (distance < exact) return distance;
  const { fround } = Math;
  const share = fround(fround(Math.log(fround(distance / exact))) / fround(Math.log(maxDistance / exact)));
  return Math.min(buckets - 1, exact + Math.floor(fround(share * (buckets - exact))));
}

/** The bucket of a key `way` tokens behind the query, or before it where that is below 0, where a query sees both: half of the buckets each. */
export function t5BucketBothWays(way: number, buckets: number, maxDistance: number): number {
  const half = Math.floor(buckets / 2);
  return (way > 0 ? half : 0) + t5Bucket(Math.abs(way), half, maxDistance);
}
