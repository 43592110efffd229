// jamba.ts: Jamba, one layer in eight of which has attention.
import type { Family } from './family.ts';

export const JAMBA: Family = {
  name: 'jamba',
  types: {
    jamba: { defaults: { num_key_value_heads: 8, attn_layer_period: 8, attn_layer_offset: 4 } },
  },
  formats: [],
};
