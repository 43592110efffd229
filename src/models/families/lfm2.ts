// lfm2.ts: LFM2, most layers of which are convolutions.
import type { Family } from './family.ts';

export const LFM2: Family = {
  name: 'lfm2',
  types: {
    lfm2: { defaults: { num_key_value_heads: 8 } },
    lfm2_moe: { defaults: { num_key_value_heads: 8 } },
  },
  formats: [],
};
