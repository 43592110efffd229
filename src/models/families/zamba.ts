// zamba.ts: Zamba: state spaces, and attention in a few layers, on hidden states beside the embeddings.
import type { Family } from './family.ts';

export const ZAMBA: Family = {
  name: 'zamba',
  types: {
    zamba: {
      defaults: { num_key_value_heads: 16, attn_layer_period: 6, attn_layer_offset: 4 },
      isTwiceAsWide: true,
      // The first two layers have none, the third has, then the period begins.
      isAtPeriod: (layer, period, offset) => layer === 2 || (layer > 2 && (layer - 3) % period === offset),
    },
    zamba2: {
      isMha: true,
      isTwiceAsWide: true,
      hasKvChannels: false,
      attendingField: 'layers_block_type',
    },
  },
  formats: [],
};
