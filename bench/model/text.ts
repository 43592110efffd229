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
    encode: (text) => attempt(path, () => tokenizer.encode(text).ids),
    decode: (tokens) => attempt(path, () => tokenizer.decode([...tokens], { skip_special_tokens: true })),
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

/** Text as it grows: what is certain of it, for a character may take several tokens. */
export class GrowingText {
  readonly #tokens: number[] = [];
  readonly #text: TextTokens;
  #shown = '';

  constructor(text: TextTokens) {
    this.#text = text;
  }

  /** What a token adds to the text that was given out, which may be nothing yet. */
  add(token: number): string {
    this.#tokens.push(token);
    const all = this.#text.decode(this.#tokens);
    // Half of a character decodes to a replacement character, which the next token may change.
    if (all.endsWith('\ufffd') || !all.startsWith(this.#shown)) return '';
    const more = all.slice(this.#shown.length);
    this.#shown = all;
    return more;
  }

  /** What is left at the end. */
  end(): string {
    const all = this.#text.decode(this.#tokens);
    return all.startsWith(this.#shown) ? all.slice(this.#shown.length) : '';
  }
}
