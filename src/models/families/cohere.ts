// cohere.ts: Cohere's Command models.
import type { Family } from './family.ts';
import { MHA } from './types.ts';

export const COHERE: Family = {
  name: 'cohere',
  types: {
    cohere: MHA,
    cohere2: { isMha: true, defaults: { sliding_window: 4096, sliding_window_pattern: 4 } },
  },
  formats: [],
};
