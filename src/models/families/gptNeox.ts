// gptNeox.ts: GPT-NeoX and Pythia.
import type { Family } from './family.ts';
import {
  fused,
  NEOX,
  NEOX_PARTS,
  NEOX_UNCHANGED,
  NOT_IN_CONFIG,
  ROTARY,
  ropeNumber,
  selfAttention,
} from './format.ts';
import { MHA } from './types.ts';

export const GPT_NEOX: Family = {
  name: 'gpt-neox',
  types: { gpt_neox: MHA, gpt_neox_japanese: MHA },
  formats: [
    {
      name: 'gpt-neox',
      modelTypes: ['gpt_neox'],
      modules: [
        selfAttention(NEOX, {
          parts: fused(NEOX, NEOX_PARTS, 'grouped', false),
          unchanged: NEOX_UNCHANGED,
        }),
      ],
      ...NOT_IN_CONFIG,
      ...ROTARY,
      rotaryShare: (config) => ropeNumber(config, 'rotary_pct', 'partial_rotary_factor') ?? 0.25,
    },
  ],
};
