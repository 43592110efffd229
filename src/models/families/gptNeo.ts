// gptNeo.ts: GPT-Neo, every other layer of which sees a window.
import type { Family } from './family.ts';

export const GPT_NEO: Family = {
  name: 'gpt-neo',
  types: {
    gpt_neo: { isMha: true, defaults: { window_size: 256 }, windowField: 'window_size' },
  },
  formats: [],
};
