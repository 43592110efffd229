// moshi.ts: Moshi, whose window is that of every layer.
import type { Family } from './family.ts';

export const MOSHI: Family = {
  name: 'moshi',
  types: {
    moshi: { isMha: true, isAllLocal: true },
  },
  formats: [],
};
