// afmoe.ts: AFMoE, whose global layer is the last of each four.
import type { Family } from './family.ts';

export const AFMOE: Family = {
  name: 'afmoe',
  types: {
    afmoe: {
      isMha: true,
      defaults: { head_dim: 128, sliding_window: 1024, global_attn_every_n_layers: 4 },
      globalLayer: 'last',
    },
  },
  formats: [],
};
