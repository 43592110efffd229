// tokenizerFiles.ts: a vocabulary of characters as Hugging Face's tokenizer files.
import { ShapeError } from '../../device/errors.ts';
import { describe, isRecord } from '../../device/options.ts';
import type { CharVocabulary } from './characters.ts';

/** Contents of the files by name, for JSON. */
export interface TokenizerFiles {
  readonly 'tokenizer.json': object;
  readonly 'tokenizer_config.json': object;
}

/**
 * The files from which `@huggingface/tokenizers`, `tokenizers` and `transformers` make a tokenizer with the same tokens, and the same
 * text back. Throws ShapeError for what is no vocabulary.
 */
export function charTokenizerFiles(vocabulary: CharVocabulary): TokenizerFiles {
  if (!isRecord(vocabulary) || !Array.isArray(vocabulary.characters)) {
    throw new ShapeError(
      `charTokenizerFiles: expected what charVocabulary gives, got ${describe(vocabulary)}`,
    );
  }
  const { characters } = vocabulary;
  return {
    'tokenizer.json': {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [],
      normalizer: null,
      // A dot would leave line ends out.
      pre_tokenizer: {
        type: 'Split',
        pattern: { Regex: String.raw`[\s\S]` },
        behavior: 'Isolated',
        invert: false,
      },
      post_processor: null,
      decoder: { type: 'Fuse' },
      model: {
        type: 'WordLevel',
        vocab: Object.fromEntries(characters.map((character, id) => [character, id])),
        // Its format asks for a name. No character has it: one that is outside is an error there too, and not left out as by BPE.
        unk_token: '<unk>',
      },
    },
    'tokenizer_config.json': {
      tokenizer_class: 'PreTrainedTokenizerFast',
      // Or blanks before full stops and commas would be dropped from texts.
      clean_up_tokenization_spaces: false,
    },
  };
}
