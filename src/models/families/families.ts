// families.ts: the model families that can be converted, as data; those of separate projections stand here.
import {
  IN_CONFIG,
  LLAMA,
  MODULE,
  NO_ROTARY,
  NOT_IN_CONFIG,
  ROTARY,
  selfAttention,
  separate,
} from './family.ts';
import type { Family, PartSpec } from './family.ts';
import { FUSED_FAMILIES } from './fusedFamilies.ts';

const NANOCHAT = `transformer.h.${MODULE}.attn`;
const T5_SELF = `decoder.block.${MODULE}.layer.0.SelfAttention`;
const T5_CROSS = `decoder.block.${MODULE}.layer.1.EncDecAttention`;

/** A table of one number for each query head, that every layer of T5's decoder shares. */
const POSITION_BIAS: PartSpec = {
  name: `${T5_SELF}.relative_attention_bias.weight`,
  order: 'q',
  axis: 1,
  rows: 'one',
  other: 'any',
  optional: true,
};

const SEPARATE: readonly Family[] = [
  {
    name: 'llama',
    modelTypes: ['llama', 'mistral', 'mixtral', 'qwen2', 'qwen2_moe', 'qwen3', 'qwen3_moe'].concat([
      'gemma',
      'gemma2',
      'gemma3',
      'gemma3_text',
    ]),
    modules: [
      selfAttention(LLAMA, {
        parts: separate(LLAMA, ['q_proj', 'k_proj', 'v_proj', 'o_proj']),
        unchanged: ['o_proj.bias', 'rotary_emb.inv_freq'],
        norms: { q: 'q_norm.weight', k: 'k_norm.weight' },
      }),
    ],
    ...IN_CONFIG,
    ...ROTARY,
  },
  {
    // The port of nanochat to huggingface/transformers: Llama's names, and norms of q and k that have no weights.
    name: 'nanochat-hf',
    modelTypes: ['nanochat'],
    modules: [
      selfAttention(LLAMA, {
        parts: separate(LLAMA, ['q_proj', 'k_proj', 'v_proj', 'o_proj']),
        unchanged: ['o_proj.bias'],
      }),
    ],
    ...IN_CONFIG,
    ...ROTARY,
    plainQkNorm: true,
  },
  {
    name: 'nanochat',
    modelTypes: [],
    modules: [
      selfAttention(NANOCHAT, {
        parts: [
          ...separate(NANOCHAT, ['c_q', 'c_k', 'c_v', 'c_proj']),
          // In every other layer a table adds to each KV head's value, weighed by a gate for each KV head.
          {
            name: `${NANOCHAT}.ve_gate.weight`,
            order: 'v',
            axis: 0,
            rows: 'one',
            other: 'any',
            optional: true,
          },
          {
            name: `value_embeds.${MODULE}.weight`,
            order: 'v',
            axis: 1,
            rows: 'headDim',
            other: 'any',
            optional: true,
          },
        ],
      }),
    ],
    ...IN_CONFIG,
    kvHeadsField: 'n_kv_head',
    readsHeadDim: false,
    when: ({ sequence_len, n_kv_head }) => typeof sequence_len === 'number' && typeof n_kv_head === 'number',
    ...ROTARY,
    plainQkNorm: true,
  },
  {
    // The decoder's two modules; the encoder's heads work in parallel on all tokens and keep no cache.
    name: 't5',
    modelTypes: ['t5', 'mt5', 'umt5'],
    modules: [
      selfAttention(T5_SELF, { parts: [...separate(T5_SELF, ['q', 'k', 'v', 'o']), POSITION_BIAS] }),
      {
        ...selfAttention(T5_CROSS, {
          parts: separate(T5_CROSS, ['q', 'k', 'v', 'o']),
          // Early exports carry a table that cross-attention never reads.
          unchanged: ['relative_attention_bias.weight'],
        }),
        kind: 'cross',
      },
    ],
    ...NOT_IN_CONFIG,
    ...NO_ROTARY,
  },
];

/** All families. Several may have the same tensor names: the model type, or what else config.json says, tells them apart. */
export const FAMILIES: readonly Family[] = [...SEPARATE, ...FUSED_FAMILIES];
