// deepseek.ts: DeepSeek: from version 2 on with latent attention.
import type { Family } from './family.ts';
import { LATENT, MHA, typesOf } from './types.ts';

export const DEEPSEEK: Family = {
  name: 'deepseek',
  types: {
    deepseek: MHA,
    ...typesOf('deepseek_v2 deepseek_v3 deepseek_v32 deepseek_v4', LATENT),
  },
  formats: [],
};
