// fusedFamilies.ts: families that keep queries, keys and values in one tensor. They share names, not the order inside.
import {
  fused,
  IN_CONFIG,
  LLAMA,
  MODULE,
  NO_ROTARY,
  NOT_IN_CONFIG,
  ROTARY,
  ropeNumber,
  selfAttention,
  type Family,
} from './family.ts';
import type { HeadCounts } from './headSlots.ts';

const NEOX = `layers.${MODULE}.attention`;
const GPT2 = `h.${MODULE}.attn`;
const BLOOM = `h.${MODULE}.self_attention`;
const CHATGLM = `encoder.layers.${MODULE}.self_attention`;
const INTERNLM2 = `layers.${MODULE}.attention`;

const GLM_PARTS = ['query_key_value', 'dense'] as const;
const UNCHANGED = ['dense.bias', 'bias', 'masked_bias', 'rotary_emb.inv_freq'];

/** Loaders that know `multi_query` and nothing between. */
const oneOrAll = ({ numQHeads, numKvHeads }: HeadCounts) => numKvHeads === 1 || numKvHeads === numQHeads;

export const FUSED_FAMILIES: readonly Family[] = [
  {
    name: 'phi3',
    modelTypes: ['phi3'],
    modules: [
      selfAttention(LLAMA, {
        parts: fused(LLAMA, ['qkv_proj', 'o_proj'], 'qkv', false),
        unchanged: ['o_proj.bias', 'rotary_emb.inv_freq'],
      }),
    ],
    ...IN_CONFIG,
    ...ROTARY,
    rotaryShare: (config) => ropeNumber(config, 'partial_rotary_factor') ?? 1,
  },
  {
    name: 'internlm2',
    modelTypes: ['internlm2'],
    modules: [
      selfAttention(INTERNLM2, {
        parts: fused(INTERNLM2, ['wqkv', 'wo'], 'grouped', false),
        unchanged: ['wo.bias'],
      }),
    ],
    ...IN_CONFIG,
    ...ROTARY,
    readsHeadDim: false,
  },
  {
    // The first model has rotary positions, the larger one linear biases, under one model type.
    name: 'baichuan',
    modelTypes: ['baichuan'],
    modules: [
      selfAttention(LLAMA, {
        parts: fused(LLAMA, ['W_pack', 'o_proj'], 'qkv', false),
        unchanged: ['rotary_emb.inv_freq'],
      }),
    ],
    ...NOT_IN_CONFIG,
    ...NO_ROTARY,
    pairing: undefined,
  },
  {
    name: 'gpt-neox',
    modelTypes: ['gpt_neox'],
    modules: [
      selfAttention(NEOX, {
        parts: fused(NEOX, GLM_PARTS, 'grouped', false),
        unchanged: UNCHANGED,
      }),
    ],
    ...NOT_IN_CONFIG,
    ...ROTARY,
    rotaryShare: (config) => ropeNumber(config, 'rotary_pct', 'partial_rotary_factor') ?? 0.25,
  },
  {
    // GLM of 2021: GPT-NeoX's names, but all of q, then of k, then of v. Its namesake of 2024 has separate projections.
    name: 'glm-2021',
    modelTypes: ['glm'],
    modules: [selfAttention(NEOX, { parts: fused(NEOX, GLM_PARTS, 'qkv', false), unchanged: UNCHANGED })],
    ...NOT_IN_CONFIG,
    ...NO_ROTARY,
  },
  {
    // ChatGLM-6B rotates the halves of a head by two positions: no pairing that is known here.
    name: 'chatglm-6b',
    modelTypes: ['chatglm'],
    modules: [selfAttention(NEOX, { parts: fused(NEOX, GLM_PARTS, 'grouped', false), unchanged: UNCHANGED })],
    ...NOT_IN_CONFIG,
    ...NO_ROTARY,
    pairing: undefined,
  },
  {
    // ChatGLM 2 to 4. Without multi_query_attention the heads lie in another order.
    name: 'chatglm',
    modelTypes: ['chatglm'],
    modules: [
      selfAttention(CHATGLM, { parts: fused(CHATGLM, GLM_PARTS, 'qkv', false), unchanged: UNCHANGED }),
    ],
    ...IN_CONFIG,
    kvHeadsField: 'multi_query_group_num',
    readsHeadDim: false,
    pairing: 'interleaved',
    rotaryShare: () => 0.5,
    plainQkNorm: false,
    when: ({ multi_query_attention }) => multi_query_attention === true,
  },
  {
    // With multi_query, one KV head and all queries before it: the one group of the same order.
    name: 'falcon',
    modelTypes: ['falcon', 'RefinedWeb', 'RefinedWebModel'],
    modules: [
      selfAttention(BLOOM, { parts: fused(BLOOM, GLM_PARTS, 'grouped', false), unchanged: UNCHANGED }),
    ],
    ...IN_CONFIG,
    ...ROTARY,
    kvHeadsField: 'num_kv_heads',
    readsHeadDim: false,
    hasMultiQueryFlag: true,
    loads: (heads, { new_decoder_architecture }) => new_decoder_architecture === true || oneOrAll(heads),
    rotaryShare: ({ alibi }) => (alibi === true ? 0 : 1),
  },
  {
    name: 'bloom',
    modelTypes: ['bloom'],
    modules: [
      selfAttention(BLOOM, { parts: fused(BLOOM, GLM_PARTS, 'grouped', false), unchanged: UNCHANGED }),
    ],
    ...NOT_IN_CONFIG,
    ...NO_ROTARY,
  },
  {
    name: 'gpt-2',
    modelTypes: ['gpt2'],
    modules: [
      selfAttention(GPT2, {
        parts: fused(GPT2, ['c_attn', 'c_proj'], 'qkv', true),
        unchanged: ['c_proj.bias', 'bias', 'masked_bias'],
      }),
    ],
    ...NOT_IN_CONFIG,
    ...NO_ROTARY,
  },
  {
    // StarCoder: GPT-2's names, but the order of GPT-NeoX, whose one group is that of multi_query.
    name: 'gpt-bigcode',
    modelTypes: ['gpt_bigcode'],
    modules: [
      selfAttention(GPT2, {
        parts: fused(GPT2, ['c_attn', 'c_proj'], 'grouped', false),
        unchanged: ['c_proj.bias', 'bias', 'masked_bias'],
      }),
    ],
    ...NOT_IN_CONFIG,
    ...NO_ROTARY,
    hasMultiQueryFlag: true,
    loads: oneOrAll,
  },
  {
    // Qwen 1: GPT-2's names, weights [out, in], rotary positions.
    name: 'qwen',
    modelTypes: ['qwen'],
    modules: [
      selfAttention(GPT2, {
        parts: fused(GPT2, ['c_attn', 'c_proj'], 'qkv', false),
        unchanged: ['c_proj.bias', 'rotary_emb.inv_freq', 'bias'],
      }),
    ],
    ...NOT_IN_CONFIG,
    ...ROTARY,
  },
  {
    // GPT-2's names, but torch's Linear keeps weights as [out, in].
    name: 'nanogpt',
    modelTypes: [],
    modules: [
      selfAttention(GPT2, {
        parts: fused(GPT2, ['c_attn', 'c_proj'], 'qkv', false),
        unchanged: ['c_proj.bias', 'bias'],
      }),
    ],
    ...NOT_IN_CONFIG,
    ...NO_ROTARY,
    // Its config.json is its GPTConfig; GPT-2 and GPT-BigCode call the length n_positions.
    when: ({ block_size, n_embd, multi_query }) =>
      typeof block_size === 'number' && typeof n_embd === 'number' && multi_query === undefined,
  },
];
