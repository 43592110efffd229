// tokenizer.ts: text to tokens and back by a model's tokenizer.json, read only where a command is given or asked for text.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GqaError, messageOf } from '../../src/device/errors.ts';

/** Text to tokens and back. */
export interface TextTokens {
  encode(text: string): number[];
  decode(tokens: readonly number[]): string;
}

/** Reads the tokenizer of a model folder. Throws GqaError where there is none or it cannot be read. */
export async function openTokenizer(folder: string): Promise<TextTokens> {
  const path = join(folder, 'tokenizer.json');
  const json = await readJson(path, `${path}: cannot be read`);
  const config = await readJson(join(folder, 'tokenizer_config.json'), undefined);
  const { Tokenizer } = await import('@huggingface/tokenizers');
  const tokenizer = made(path, () => new Tokenizer(json, config));
  return {
    encode: (text) => made(path, () => tokenizer.encode(text).ids),
    decode: (tokens) => made(path, () => tokenizer.decode([...tokens], { skip_special_tokens: true })),
  };
}

/** A prompt's tokens. Throws GqaError where it has none. */
export function encodePrompt(text: TextTokens, prompt: string): number[] {
  const tokens = text.encode(prompt);
  if (tokens.length === 0) throw new GqaError('input', `--prompt "${prompt}": it has no tokens`);
  return tokens;
}

/** A file as JSON; `fault` begins the message where it cannot be read, without one it may be missing. */
async function readJson(path: string, fault: string | undefined): Promise<object> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as object;
  } catch (cause) {
    const isMissing = (cause as { code?: unknown }).code === 'ENOENT';
    if (fault === undefined && isMissing) return {};
    const hint = isMissing ? '; give tokens instead of text' : '';
    throw new GqaError('input', `${fault ?? `${path}: cannot be read`}: ${messageOf(cause)}${hint}`, {
      cause,
    });
  }
}

/** The library's own errors say nothing of the file. */
function made<T>(path: string, make: () => T): T {
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
