// smollm3.ts: SmolLM3, whose layers without rotary positions are local.
import { flag } from '../configFields.ts';
import type { Family } from './family.ts';
import { llamaDecoder } from './decoders.ts';
import { hasRope, noRopeRule } from './noRope.ts';

export const SMOLLM3: Family = {
  name: 'smollm3',
  types: {
    smollm3: {
      defaults: { num_key_value_heads: 4, use_sliding_window: false, no_rope_layer_interval: 4 },
      windows: (file, layers, { hasWindow }) =>
        hasWindow && flag(file, 'use_sliding_window') !== false
          ? noRopeRule(file, layers, { rotary: 'global', without: 'local' })
          : undefined,
    },
  },
  formats: [],
  decoders: [llamaDecoder(['smollm3'], { tied: true, isRotary: hasRope, usualTheta: 2_000_000 })],
};
