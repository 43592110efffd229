// text.ts: text to tokens and back by a model's tokenizer.json; the library for it is loaded only where a text is given or asked for.
import { GqaError, messageOf } from '../../src/device/errors.ts';

/** Text to tokens and back. */
export interface TextTokens {
  encode(text: string): number[];
  decode(tokens: readonly number[]): string;
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
    decode: (tokens) =>
      // The library refuses to decode none.
      tokens.length === 0
        ? ''
        : attempt(path, () => tokenizer.decode([...tokens], { skip_special_tokens: true })),
  };
}

/** The library's own errors say nothing of the file. */
function attempt<T>(path: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw new GqaError('input', `${path}: the tokenizer cannot be used: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Text as it grows: what is certain of it, for a character may take several tokens. Only the last tokens are decoded again, for a
 * decoder may write a token otherwise at the beginning of a text. (vLLM: detokenize_incrementally.)
 */
export class GrowingText {
  readonly #text: TextTokens;
  /** The tokens given out last, and those behind them. */
  #tokens: number[] = [];
  #given = 0;

  constructor(text: TextTokens) {
    this.#text = text;
  }

  /** What a token adds to the text that was given out, which may be nothing yet. */
  add(token: number): string {
    this.#tokens.push(token);
    const all = this.#text.decode(this.#tokens);
    // Half of a character decodes to a replacement character, which the next token may change.
    if (all.endsWith('\ufffd')) return '';
    const more = this.#behindGiven(all);
    if (more === '') return '';
    this.#tokens = this.#tokens.slice(this.#given);
    this.#given = this.#tokens.length;
    return more;
  }

  /** What is left at the end. */
  end(): string {
    return this.#behindGiven(this.#text.decode(this.#tokens));
  }

  /** Counted and not compared: a decoder that tidies up changes what it has given out, and the rest must not be lost for that. */
  #behindGiven(all: string): string {
    return all.slice(this.#text.decode(this.#tokens.slice(0, this.#given)).length);
  }
}
