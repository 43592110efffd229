// starcoder.ts: StarCoder (GPT-BigCode), of one KV head or all, and StarCoder 2.
import type { Family } from './family.ts';
import { fused, GPT2, NO_ROTARY, NOT_IN_CONFIG, oneOrAll, selfAttention } from './format.ts';

export const STARCODER: Family = {
  name: 'starcoder',
  types: {
    gpt_bigcode: { isMha: true, defaults: { multi_query: true } },
    starcoder2: { defaults: { num_key_value_heads: 2 }, isAllLocal: true },
  },
  formats: [
    {
      // GPT-2's names, but the order of GPT-NeoX, whose one group is that of multi_query.
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
  ],
};
