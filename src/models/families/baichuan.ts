// baichuan.ts: Baichuan: the first model has rotary positions, the larger one linear biases, under one model type.
import type { Family } from './family.ts';
import { ANY_POSITIONS, fused, LLAMA, NOT_IN_CONFIG, selfAttention } from './format.ts';
import { MHA } from './types.ts';

export const BAICHUAN: Family = {
  name: 'baichuan',
  types: { baichuan: MHA },
  formats: [
    {
      name: 'baichuan',
      modelTypes: ['baichuan'],
      modules: [
        selfAttention(LLAMA, {
          parts: fused(LLAMA, ['W_pack', 'o_proj'], 'qkv', false),
          unchanged: ['rotary_emb.inv_freq'],
        }),
      ],
      ...NOT_IN_CONFIG,
      ...ANY_POSITIONS,
    },
  ],
};
