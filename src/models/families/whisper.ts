// whisper.ts: Whisper, whose encoder always gives as many tokens, of 30 seconds of sound.
import type { Family } from './family.ts';

export const WHISPER: Family = {
  name: 'whisper',
  types: {
    whisper: {
      isMha: true,
      defaults: { is_encoder_decoder: true, max_source_positions: 1500 },
      encoderTokensField: 'max_source_positions',
    },
  },
  formats: [],
};
