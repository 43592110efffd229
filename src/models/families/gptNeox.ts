// gptNeox.ts: GPT-NeoX and Pythia.
import { MODULE, type Family } from './family.ts';
import {
  fused,
  NEOX,
  NEOX_PARTS,
  NEOX_UNCHANGED,
  NOT_IN_CONFIG,
  ROTARY,
  ropeNumber,
  selfAttention,
} from './format.ts';
import { MHA } from './types.ts';

export const GPT_NEOX: Family = {
  name: 'gpt-neox',
  types: { gpt_neox: MHA, gpt_neox_japanese: MHA },
  decoders: [
    {
      modelTypes: ['gpt_neox'],
      embedding: 'embed_in.weight',
      finalNorm: 'final_layer_norm.weight',
      norms: {
        attention: `layers.${MODULE}.input_layernorm.weight`,
        mlp: `layers.${MODULE}.post_attention_layernorm.weight`,
      },
      mlp: {
        up: `layers.${MODULE}.mlp.dense_h_to_4h.weight`,
        down: `layers.${MODULE}.mlp.dense_4h_to_h.weight`,
      },
      head: 'embed_out.weight',
      newerHead: 'lm_head.weight',
      tied: false,
      norm: { kind: 'layer', fields: ['layer_norm_eps'], usualEps: 1e-5 },
      activation: { fields: ['hidden_act'], usual: 'gelu' },
      has: ({ attention_bias: given }) => {
        const attends = given !== false;
        return { qkvBias: attends, oBias: attends, mlpBias: true, qkNorm: false };
      },
      localLayers: 'none',
      thetaField: 'rotary_emb_base',
      parallel: (config) => config['use_parallel_residual'] !== false,
    },
  ],
  formats: [
    {
      name: 'gpt-neox',
      modelTypes: ['gpt_neox'],
      modules: [
        selfAttention(NEOX, {
          parts: fused(NEOX, NEOX_PARTS, 'grouped', false),
          unchanged: NEOX_UNCHANGED,
        }),
      ],
      ...NOT_IN_CONFIG,
      ...ROTARY,
      rotaryShare: ({ rotary_pct, rope_parameters }) =>
        ropeNumber({ rotary_pct }, 'rotary_pct') ??
        ropeNumber({ rope_parameters }, 'partial_rotary_factor') ??
        0.25,
    },
  ],
};
