// llama.ts: Llama, whose format many took; Llama 4, some of whose layers see chunks; Llama 3.2 Vision.
import type { Family } from './family.ts';
import { llamaDecoder } from './decoders.ts';
import { llamaFormat } from './format.ts';
import { noRopeRule } from './noRope.ts';
import { SEVEN_BILLION } from './types.ts';

export const LLAMA: Family = {
  name: 'llama',
  types: {
    llama: { isMha: true, nestedDefaults: SEVEN_BILLION },
    llama4: {
      defaults: {
        num_key_value_heads: 8,
        head_dim: 128,
        attention_chunk_size: 8192,
        no_rope_layer_interval: 4,
      },
      windows: (file, layers, { hasChunk }) =>
        hasChunk ? noRopeRule(file, layers, { rotary: 'chunked', without: 'global' }) : undefined,
    },
    mllama: {
      defaults: { num_key_value_heads: 8, cross_attention_layers: [3, 8, 13, 18, 23, 28, 33, 38] },
    },
  },
  formats: [llamaFormat('llama')],
  decoders: [llamaDecoder(['llama'], { localLayers: 'none' })],
};
