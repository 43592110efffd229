// text.ts: text to tokens and back by a model's tokenizer.json; the library for it is loaded only where a text is given or asked for.
import { GqaError, messageOf } from '../../src/device/errors.ts';

/** Text to tokens and back. */
export interface TextTokens {
  readonly encode: (text: string) => number[];
  readonly decode: (tokens: readonly number[]) => string;
}

/**
 * Makes a tokenizer of the parsed tokenizer.json and tokenizer_config.json, which may be {}. Throws GqaError where it cannot be
 * used; `path` is the first file's, for messages.
 */
export async function makeTokenizer(json: object, config: object, path: string): Promise<TextTokens> {
  const { Tokenizer } = await import('@huggingface/tokenizers');
  const tokenizer = attempt(path, () => new Tokenizer(json, config));
  return {
    encode: (text) => {
      const { ids, tokens } = attempt(path, () => tokenizer.encode(text));
      // The library gives no id where there is neither a token nor one for what is unknown.
      const unknown = (ids as unknown[]).indexOf(undefined);
      if (unknown < 0) return ids;
      throw new GqaError(
        'input',
        `${path}: the tokenizer has no token for ${JSON.stringify(tokens[unknown])}`,
      );
    },
    decode: (tokens) => {
      // A vocabulary may be padded: a model can write tokens that its tokenizer does not know.
      const known = tokens.filter((token) => tokenizer.id_to_token(token) !== undefined);
      // The library refuses to decode none.
      return known.length === 0 ? '' : attempt(path, () => tokenizer.decode(known, DECODING));
    },
  };
}

/** Spaces stay where a model wrote them, in code for one: they would have been shown before it is known what follows them. */
const DECODING = { skip_special_tokens: true, clean_up_tokenization_spaces: false };

/** The library's own errors say nothing of the file. */
function attempt<T>(path: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw new GqaError('input', `${path}: the tokenizer cannot be used: ${messageOf(cause)}`, { cause });
  }
}
