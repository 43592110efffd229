// glm.ts: GLM of 2021 and of 2024 on, and ChatGLM between them.
import { isGiven } from '../configFields.ts';
import { MODULE, type Family } from './family.ts';
import {
  ANY_POSITIONS,
  fused,
  IN_CONFIG,
  NEOX,
  NEOX_PARTS,
  NEOX_UNCHANGED,
  NO_ROTARY,
  NOT_IN_CONFIG,
  ROTARY,
  selfAttention,
} from './format.ts';
import { LATENT, MHA } from './types.ts';

const CHATGLM = `encoder.layers.${MODULE}.self_attention`;

export const GLM: Family = {
  name: 'glm',
  types: {
    glm: { defaults: { num_key_value_heads: 2, head_dim: 128 } },
    // Counts its layers in another field than its namesake of 2024, and has one KV head for each query head.
    'glm-2021': {
      isMha: true,
      isOf: ({ model_type, num_layers, num_hidden_layers }) =>
        model_type === 'glm' && isGiven(num_layers) && !isGiven(num_hidden_layers),
    },
    glm4: { defaults: { num_key_value_heads: 2, head_dim: 128 } },
    glm4_moe: { defaults: { num_key_value_heads: 8 } },
    glm4_moe_lite: LATENT,
    glm_moe_dsa: LATENT,
    chatglm: MHA,
  },
  formats: [
    {
      // GPT-NeoX's names, but all of q, then of k, then of v. Its namesake of 2024 has separate projections.
      name: 'glm-2021',
      modelTypes: ['glm'],
      modules: [
        selfAttention(NEOX, { parts: fused(NEOX, NEOX_PARTS, 'qkv', false), unchanged: NEOX_UNCHANGED }),
      ],
      ...NOT_IN_CONFIG,
      ...NO_ROTARY,
    },
    {
      // ChatGLM-6B rotates the halves of a head by two positions: no pairing that is known here.
      name: 'chatglm-6b',
      modelTypes: ['chatglm'],
      modules: [
        selfAttention(NEOX, { parts: fused(NEOX, NEOX_PARTS, 'grouped', false), unchanged: NEOX_UNCHANGED }),
      ],
      ...NOT_IN_CONFIG,
      ...ANY_POSITIONS,
    },
    {
      // ChatGLM 2 to 4. Without multi_query_attention the heads lie in another order.
      name: 'chatglm',
      modelTypes: ['chatglm'],
      modules: [
        selfAttention(CHATGLM, {
          parts: fused(CHATGLM, NEOX_PARTS, 'qkv', false),
          unchanged: NEOX_UNCHANGED,
        }),
      ],
      ...IN_CONFIG,
      ...ROTARY,
      kvHeadsField: 'multi_query_group_num',
      readsHeadDim: false,
      pairing: 'interleaved',
      rotaryShare: () => 0.5,
      when: ({ multi_query_attention }) => multi_query_attention === true,
    },
  ],
};
