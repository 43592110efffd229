// exaone.ts: EXAONE: from version 4 on most layers see a window.
import type { Family } from './family.ts';
import { MHA } from './types.ts';

export const EXAONE: Family = {
  name: 'exaone',
  types: {
    exaone: MHA,
    exaone4: {
      defaults: { num_key_value_heads: 32, sliding_window: 4096, sliding_window_pattern: 4 },
    },
    exaone_moe: {
      defaults: { num_key_value_heads: 32, sliding_window: 4096, sliding_window_pattern: 4 },
    },
  },
  formats: [],
};
