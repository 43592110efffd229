// bamba.ts: Bamba, a few layers of which have attention.
import type { Family } from './family.ts';

export const BAMBA: Family = {
  name: 'bamba',
  types: {
    bamba: { defaults: { num_key_value_heads: 8 }, attendingField: 'attn_layer_indices' },
  },
  formats: [],
};
