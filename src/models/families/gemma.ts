// gemma.ts: Gemma, in Llama's format with norms that count from one; from Gemma 2 on most layers see a window.
import type { Family } from './family.ts';
import { attentionBias, LLAMA_DECODER, llamaDecoder, qkNorm } from './decoders.ts';
import { MODULE } from './family.ts';
import { llamaFormat, ropeNumber } from './format.ts';

const GEMMA_DECODER = {
  tied: true,
  scalesEmbedding: true,
  norm: { ...LLAMA_DECODER.norm, fromOne: true },
  activation: { fields: ['hidden_activation'], usual: 'gelu_pytorch_tanh' },
  has: attentionBias,
} as const;

/** From Gemma 2 on there are norms behind attention and the feed-forward network too. */
const FOUR_NORMS = {
  attention: `layers.${MODULE}.input_layernorm.weight`,
  afterAttention: `layers.${MODULE}.post_attention_layernorm.weight`,
  mlp: `layers.${MODULE}.pre_feedforward_layernorm.weight`,
  afterMlp: `layers.${MODULE}.post_feedforward_layernorm.weight`,
};

export const GEMMA: Family = {
  name: 'gemma',
  types: {
    gemma: {
      defaults: { num_key_value_heads: 16, head_dim: 256 },
      nestedDefaults: { hidden_size: 3072, num_attention_heads: 16, num_hidden_layers: 28 },
    },
    gemma2: {
      defaults: { num_key_value_heads: 4, head_dim: 256, sliding_window: 4096, sliding_window_pattern: 2 },
      nestedDefaults: { hidden_size: 2304, num_attention_heads: 8, num_hidden_layers: 26 },
    },
    gemma3: {
      defaults: {
        num_attention_heads: 8,
        num_key_value_heads: 4,
        head_dim: 256,
        sliding_window: 4096,
        sliding_window_pattern: 6,
      },
      nestedDefaults: { hidden_size: 2304, num_hidden_layers: 26 },
    },
    gemma3n: {
      defaults: {
        num_attention_heads: 8,
        num_key_value_heads: 2,
        head_dim: 256,
        sliding_window: 512,
        sliding_window_pattern: 5,
        num_kv_shared_layers: 15,
      },
    },
    gemma4: {
      defaults: {
        num_key_value_heads: 4,
        head_dim: 256,
        global_head_dim: 512,
        sliding_window: 512,
        sliding_window_pattern: 6,
      },
    },
    vaultgemma: {
      defaults: { num_key_value_heads: 4, head_dim: 256, sliding_window: 4096, sliding_window_pattern: 2 },
    },
  },
  decoders: [
    llamaDecoder(['gemma'], {
      ...GEMMA_DECODER,
      // The first files say "gelu" and mean its approximation.
      activation: {
        fields: ['hidden_act'],
        usual: 'gelu_pytorch_tanh',
        renamed: { gelu: 'gelu_pytorch_tanh' },
      },
      localLayers: 'none',
      // Which of the two is read depends on the version.
      only: { hidden_activation: ['gelu_pytorch_tanh'] },
    }),
    llamaDecoder(['gemma2'], {
      ...GEMMA_DECODER,
      norms: FOUR_NORMS,
      defaults: { attn_logit_softcapping: 50, final_logit_softcapping: 30, query_pre_attn_scalar: 256 },
      reads: ['attn_logit_softcapping', 'final_logit_softcapping', 'query_pre_attn_scalar'],
      // Its class knows no other.
      only: { sliding_window_pattern: [2] },
    }),
    llamaDecoder(['gemma3'], {
      ...GEMMA_DECODER,
      norms: FOUR_NORMS,
      has: qkNorm,
      usualTheta: 1_000_000,
      localTheta: (config) => ropeNumber(config, 'rope_local_base_freq') ?? 10_000,
      defaults: { query_pre_attn_scalar: 256 },
      // Its class has a cap of scores and does not apply it.
      reads: ['final_logit_softcapping', 'query_pre_attn_scalar'],
    }),
  ],
  formats: [{ ...llamaFormat('gemma', 'gemma2', 'gemma3'), normsCountFromOne: true }],
};
