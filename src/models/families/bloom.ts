// bloom.ts: BLOOM.
import type { Family } from './family.ts';
import {
  BLOOM as LAYER,
  fused,
  NEOX_PARTS,
  NEOX_UNCHANGED,
  NO_ROTARY,
  NOT_IN_CONFIG,
  selfAttention,
} from './format.ts';
import { MHA } from './types.ts';

export const BLOOM: Family = {
  name: 'bloom',
  types: { bloom: MHA },
  formats: [
    {
      name: 'bloom',
      modelTypes: ['bloom'],
      modules: [
        selfAttention(LAYER, {
          parts: fused(LAYER, NEOX_PARTS, 'grouped', false),
          unchanged: NEOX_UNCHANGED,
        }),
      ],
      ...NOT_IN_CONFIG,
      ...NO_ROTARY,
    },
  ],
};
