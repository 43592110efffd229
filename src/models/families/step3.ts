// step3.ts: Step3, whose one KV head stands in a field of its own.
import type { Family } from './family.ts';

export const STEP3: Family = {
  name: 'step3',
  types: {
    step3: {
      defaults: { num_attention_groups: 1 },
      kvHeadsField: 'num_attention_groups',
      // How queries are made.
      computed: /^share_q_dim$/,
    },
  },
  formats: [],
};
