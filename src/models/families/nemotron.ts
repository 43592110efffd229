// nemotron.ts: Nemotron; Nemotron-H has layers of state spaces.
import type { Family } from './family.ts';
import { MHA } from './types.ts';

export const NEMOTRON: Family = {
  name: 'nemotron',
  types: {
    nemotron: MHA,
    nemotron_h: {
      defaults: { num_key_value_heads: 8, head_dim: 128 },
      attendingField: 'hybrid_override_pattern',
    },
  },
  formats: [],
};
