// nanogpt.ts: nanoGPT, whose config.json is its GPTConfig and writes no model type.
import { isGiven } from '../configFields.ts';
import type { Family } from './family.ts';
import { fused, GPT2, NO_ROTARY, NOT_IN_CONFIG, selfAttention } from './format.ts';

export const NANOGPT: Family = {
  name: 'nanogpt',
  types: {
    nanogpt: {
      isMha: true,
      isOf: ({ model_type, n_layer, n_head, n_embd }) =>
        (typeof model_type !== 'string' || model_type === '') && [n_layer, n_head, n_embd].every(isGiven),
    },
  },
  formats: [
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
      // GPT-2 and GPT-BigCode call the length n_positions; what names do not tell must not be guessed.
      when: ({ block_size, n_embd, multi_query }) =>
        typeof block_size === 'number' && typeof n_embd === 'number' && multi_query === undefined,
    },
  ],
};
