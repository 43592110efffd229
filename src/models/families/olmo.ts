// olmo.ts: OLMo: the third sees windows, the hybrid has linear attention.
import type { Family } from './family.ts';
import { MHA, typesOf } from './types.ts';

export const OLMO: Family = {
  name: 'olmo',
  types: {
    ...typesOf('olmo olmo2 olmoe flex_olmo', MHA),
    olmo3: { isMha: true, defaults: { sliding_window: 4096, sliding_window_pattern: 4 } },
    olmo_hybrid: { isMha: true, defaults: { full_attention_interval: 4 } },
  },
  formats: [],
};
