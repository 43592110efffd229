// falcon.ts: Falcon, whose first architecture has one KV head or all; Falcon-H1; Falcon Mamba, which has no attention.
import type { Family } from './family.ts';
import {
  BLOOM,
  fused,
  IN_CONFIG,
  NEOX_PARTS,
  NEOX_UNCHANGED,
  oneOrAll,
  ROTARY,
  selfAttention,
} from './format.ts';
import { MHA } from './types.ts';

export const FALCON: Family = {
  name: 'falcon',
  types: {
    falcon: { isMha: true, defaults: { multi_query: true } },
    RefinedWeb: MHA,
    RefinedWebModel: MHA,
    falcon_h1: { defaults: { num_key_value_heads: 8 } },
    falcon_mamba: { withoutCache: 'no-attention' },
  },
  formats: [
    {
      // With multi_query, one KV head and all queries before it: the one group of the same order.
      name: 'falcon',
      modelTypes: ['falcon', 'RefinedWeb', 'RefinedWebModel'],
      modules: [
        selfAttention(BLOOM, {
          parts: fused(BLOOM, NEOX_PARTS, 'grouped', false),
          unchanged: NEOX_UNCHANGED,
        }),
      ],
      ...IN_CONFIG,
      ...ROTARY,
      kvHeadsField: 'num_kv_heads',
      readsHeadDim: false,
      hasMultiQueryFlag: true,
      loads: (heads, { new_decoder_architecture }) => new_decoder_architecture === true || oneOrAll(heads),
      rotaryShare: ({ alibi }) => (alibi === true ? 0 : 1),
    },
  ],
};
