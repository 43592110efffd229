// qwen.ts: Qwen: the first model with GPT-2's names, the later ones in Llama's format.
import type { Family } from './family.ts';
import { llamaDecoder, NO_EXTRAS, qkNorm } from './decoders.ts';
import { fused, GPT2, llamaFormat, NOT_IN_CONFIG, ROTARY, selfAttention } from './format.ts';
import { MHA, SEVEN_BILLION } from './types.ts';

const WINDOW = { use_sliding_window: false, sliding_window: 4096, max_window_layers: 28 };
const VL_WINDOW = { ...WINDOW, max_window_layers: 80 };

export const QWEN: Family = {
  name: 'qwen',
  types: {
    qwen: MHA,
    qwen2: { defaults: { num_key_value_heads: 32, ...WINDOW }, nestedDefaults: SEVEN_BILLION },
    qwen2_moe: { defaults: { num_key_value_heads: 16, ...WINDOW } },
    qwen2_vl: { defaults: { num_key_value_heads: 8, ...VL_WINDOW } },
    qwen2_5_vl: { defaults: { num_key_value_heads: 8, ...VL_WINDOW } },
    qwen3: {
      defaults: { num_key_value_heads: 32, head_dim: 128, ...WINDOW },
      nestedDefaults: SEVEN_BILLION,
    },
    qwen3_moe: { defaults: { num_key_value_heads: 4, ...WINDOW } },
    qwen3_next: { defaults: { num_key_value_heads: 2, head_dim: 256, full_attention_interval: 4 } },
    qwen3_5: { defaults: { num_key_value_heads: 4, head_dim: 256, full_attention_interval: 4 } },
    qwen3_5_moe: { defaults: { num_key_value_heads: 2, head_dim: 256, full_attention_interval: 4 } },
    qwen3_vl: { defaults: { num_key_value_heads: 32, head_dim: 128 } },
    qwen3_vl_moe: { defaults: { num_key_value_heads: 16 } },
  },
  decoders: [
    llamaDecoder(['qwen2'], { has: () => ({ ...NO_EXTRAS, qkvBias: true }) }),
    llamaDecoder(['qwen3'], { has: qkNorm }),
  ],
  formats: [
    llamaFormat('qwen2', 'qwen2_moe', 'qwen3', 'qwen3_moe'),
    {
      // GPT-2's names, weights [out, in], rotary positions.
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
  ],
};
