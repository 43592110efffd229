// recurrentGemma.ts: RecurrentGemma, whose layers of attention all see a window.
import { localAt } from '../layerRules.ts';
import type { Family } from './family.ts';

export const RECURRENT_GEMMA: Family = {
  name: 'recurrent-gemma',
  types: {
    recurrent_gemma: {
      isMha: true,
      defaults: { block_types: ['recurrent', 'recurrent', 'attention'], attention_window_size: 2048 },
      windowField: 'attention_window_size',
      windows: (_, layers) => ({
        ...localAt('block_types', layers, () => true),
        why: 'from "block_types"',
      }),
    },
  },
  formats: [],
};
