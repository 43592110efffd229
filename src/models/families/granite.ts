// granite.ts: Granite; the hybrid has layers of state spaces.
import type { Family } from './family.ts';
import { MHA } from './types.ts';

export const GRANITE: Family = {
  name: 'granite',
  types: {
    granite: MHA,
    granitemoe: MHA,
    granitemoeshared: MHA,
    granitemoehybrid: { isMha: true, attendingField: 'layer_types' },
    granite_swa: {
      defaults: { num_key_value_heads: 4, sliding_window: 128, global_attn_every_n_layers: 4 },
    },
  },
  formats: [],
};
