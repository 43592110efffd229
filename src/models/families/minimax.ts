// minimax.ts: MiniMax: the first models have linear attention in most layers.
import type { Family } from './family.ts';

export const MINIMAX: Family = {
  name: 'minimax',
  types: {
    minimax: { defaults: { num_key_value_heads: 8 }, attendingField: 'layer_types' },
    minimax_text_01: { defaults: { num_key_value_heads: 8 }, attendingField: 'attn_type_list' },
    MiniMaxText01: { defaults: { num_key_value_heads: 8 }, attendingField: 'attn_type_list' },
    minimax_m2: { defaults: { num_key_value_heads: 8, head_dim: 128 } },
  },
  formats: [],
};
