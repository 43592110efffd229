// minicpm.ts: MiniCPM; the third has latent attention.
import type { Family } from './family.ts';
import { LATENT, MHA } from './types.ts';

export const MINICPM: Family = {
  name: 'minicpm',
  types: {
    minicpm: MHA,
    minicpm3: LATENT,
  },
  formats: [],
};
