// gpt2.ts: GPT-2, the GPT before it, and Image GPT.
import type { Fields } from '../configFields.ts';
import { MODULE, type Family } from './family.ts';
import { fused, GPT2 as LAYER, NO_ROTARY, NOT_IN_CONFIG, selfAttention } from './format.ts';
import { MHA } from './types.ts';

/** What scores are multiplied by, over the usual: GPT-2's files may switch scaling off, or divide by the layer's number. */
function layerScale(config: Fields, layer: number, headDim: number): number {
  const byLayer = config['scale_attn_by_inverse_layer_idx'] === true ? 1 / (layer + 1) : 1;
  return config['scale_attn_weights'] === false ? byLayer * Math.sqrt(headDim) : byLayer;
}

export const GPT2: Family = {
  name: 'gpt-2',
  types: { gpt2: MHA, 'openai-gpt': MHA, imagegpt: MHA },
  decoders: [
    {
      modelTypes: ['gpt2'],
      embedding: 'wte.weight',
      positions: 'wpe.weight',
      finalNorm: 'ln_f.weight',
      norms: { attention: `h.${MODULE}.ln_1.weight`, mlp: `h.${MODULE}.ln_2.weight` },
      mlp: { up: `h.${MODULE}.mlp.c_fc.weight`, down: `h.${MODULE}.mlp.c_proj.weight` },
      usualMlpFactor: 4,
      head: 'lm_head.weight',
      tied: true,
      norm: { kind: 'layer', fields: ['layer_norm_epsilon'], usualEps: 1e-5 },
      activation: { fields: ['activation_function'], usual: 'gelu_new' },
      transposed: true,
      has: () => ({ qkvBias: true, oBias: true, mlpBias: true, qkNorm: false }),
      localLayers: 'none',
      layerScale,
      only: { add_cross_attention: [false] },
    },
  ],
  formats: [
    {
      name: 'gpt-2',
      modelTypes: ['gpt2'],
      modules: [
        selfAttention(LAYER, {
          parts: fused(LAYER, ['c_attn', 'c_proj'], 'qkv', true),
          unchanged: ['c_proj.bias', 'bias', 'masked_bias'],
        }),
      ],
      ...NOT_IN_CONFIG,
      ...NO_ROTARY,
    },
  ],
};
