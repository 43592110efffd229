// internlm.ts: InternLM; the projections of InternLM 2 are fused.
import { MODULE, type Family } from './family.ts';
import { fused, IN_CONFIG, ROTARY, selfAttention } from './format.ts';
import { MHA } from './types.ts';

const LAYER = `layers.${MODULE}.attention`;

export const INTERNLM: Family = {
  name: 'internlm',
  types: { internlm: MHA, internlm2: MHA },
  formats: [
    {
      name: 'internlm2',
      modelTypes: ['internlm2'],
      modules: [
        selfAttention(LAYER, {
          parts: fused(LAYER, ['wqkv', 'wo'], 'grouped', false),
          unchanged: ['wo.bias'],
        }),
      ],
      ...IN_CONFIG,
      ...ROTARY,
      readsHeadDim: false,
    },
  ],
};
