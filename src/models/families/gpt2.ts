// gpt2.ts: GPT-2, the GPT before it, and Image GPT.
import type { Family } from './family.ts';
import { fused, GPT2 as LAYER, NO_ROTARY, NOT_IN_CONFIG, selfAttention } from './format.ts';
import { MHA } from './types.ts';

export const GPT2: Family = {
  name: 'gpt-2',
  types: { gpt2: MHA, 'openai-gpt': MHA, imagegpt: MHA },
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
