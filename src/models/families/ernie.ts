// ernie.ts: ERNIE 4.5.
import type { Family } from './family.ts';

export const ERNIE: Family = {
  name: 'ernie-4.5',
  types: {
    ernie4_5: { defaults: { num_key_value_heads: 2, head_dim: 128 } },
    ernie4_5_moe: { defaults: { num_key_value_heads: 4 } },
  },
  formats: [],
};
