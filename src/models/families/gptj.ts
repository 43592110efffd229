// gptj.ts: GPT-J and CodeGen.
import type { Family } from './family.ts';
import { MHA } from './types.ts';

export const GPTJ: Family = {
  name: 'gpt-j',
  types: {
    gptj: MHA,
    // Queries, values and keys lie in four blocks.
    codegen: { isMha: true, hasOtherFusedOrder: true },
  },
  formats: [],
};
