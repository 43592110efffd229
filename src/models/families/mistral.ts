// mistral.ts: Mistral, Mixtral and Ministral, whose window is that of every layer; Mistral 4, of latent attention.
import type { Family } from './family.ts';
import { llamaDecoder, NO_EXTRAS } from './decoders.ts';
import { llamaFormat } from './format.ts';
import { LATENT, SEVEN_BILLION } from './types.ts';

export const MISTRAL: Family = {
  name: 'mistral',
  types: {
    mistral: {
      defaults: { num_key_value_heads: 8, sliding_window: 4096 },
      nestedDefaults: SEVEN_BILLION,
      isAllLocal: true,
    },
    mixtral: { defaults: { num_key_value_heads: 8 }, nestedDefaults: SEVEN_BILLION, isAllLocal: true },
    ministral: { defaults: { num_key_value_heads: 8, sliding_window: 4096 }, isAllLocal: true },
    ministral3: { defaults: { num_key_value_heads: 8, head_dim: 128 }, isAllLocal: true },
    mistral4: LATENT,
  },
  formats: [llamaFormat('mistral', 'mixtral', 'ministral')],
  decoders: [
    llamaDecoder(['mistral'], { has: () => NO_EXTRAS, localLayers: 'all' }),
    llamaDecoder(['ministral'], { has: () => NO_EXTRAS }),
  ],
};
