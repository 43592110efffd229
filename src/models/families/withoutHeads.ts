// withoutHeads.ts: families without a cache of K and V heads: those of latent attention, and those without attention.
import type { Family } from './family.ts';
import { familiesOf, LATENT } from './types.ts';

export const WITHOUT_HEADS: readonly Family[] = [
  ...familiesOf('axk1 kimi_k2 kimi_k25 kimi_linear longcat_flash youtu', LATENT),
  ...familiesOf('mamba mamba2 rwkv xlstm', { withoutCache: 'no-attention' }),
];
