// gptOss.ts: gpt-oss, every other layer of which sees a window.
import type { Family } from './family.ts';

export const GPT_OSS: Family = {
  name: 'gpt-oss',
  types: {
    gpt_oss: {
      defaults: { num_key_value_heads: 8, head_dim: 64, sliding_window: 128, sliding_window_pattern: 2 },
    },
  },
  formats: [],
};
