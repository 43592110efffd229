// growingText.ts: text that grows token by token, by a tokenizer that decodes lists of them.
import { ShapeError } from '../device/errors.ts';
import { checkFunction, describe } from '../device/options.ts';

/** A text in the making: see `growingText`. */
export interface GrowingText {
  /** What a token adds to the text that was given out, which may be nothing yet: a character may take several tokens. */
  add(token: number): string;
  /** What is left when there are no more tokens. The next token begins another text. */
  end(): string;
}

/** What an incomplete character decodes to. */
const REPLACEMENT = '\ufffd';

/** Replacement characters at the end of a text that the next token may change: as many as an incomplete character has bytes. */
const MOST_PENDING = 3;

/** Tokens that are decoded together until it is tried to do with fewer. */
const MOST_TOKENS = 32;

/**
 * Text as it grows, of any tokenizer whose text only grows with its tokens: what was given out, joined, is `decode` of all tokens. A
 * token costs the decoding of the last few, however long the text is. Have `decode` leave out special tokens that are not to be
 * shown, and leave spaces in front of full stops where they are: what takes back what was written cannot be given out as it comes.
 * (The way of vLLM's detokenize_incrementally.)
 */
export function growingText(decode: (tokens: readonly number[]) => string): GrowingText {
  checkFunction('growingText: decode', decode);
  return new Growing(decode);
}

class Growing implements GrowingText {
  readonly #decode: (tokens: readonly number[]) => string;
  /** The tokens given out last, as a decoder may write a token otherwise at the beginning of a text, and those behind them. */
  #tokens: number[] = [];
  /** How many of them were given out. */
  #context = 0;
  /** Their text, and how much of it was given out. */
  #text = '';
  #given = 0;
  #mostTokens = MOST_TOKENS;

  constructor(decode: (tokens: readonly number[]) => string) {
    // The library decodes no empty lists, for some tokenizers refuse them.
    this.#decode = (tokens) => (tokens.length === 0 ? '' : decode(tokens));
  }

  add(token: number): string {
    if (!Number.isSafeInteger(token) || token < 0) {
      throw new ShapeError(
        `growingText: token: expected zero or a positive whole number, got ${describe(token)}`,
      );
    }
    const tokens = [...this.#tokens, token];
    const text = this.#decode(tokens);
    if (text === this.#text && this.#showsNothing(token)) return '';
    this.#given = Math.min(this.#given, commonLength(text, this.#text));
    this.#tokens = tokens;
    this.#text = text;
    const certain = text.length - pendingLength(text);
    const more = text.slice(this.#given, certain);
    this.#given = Math.max(this.#given, certain);
    if (more !== '' && certain === text.length) this.#keep();
    else if (tokens.length >= this.#mostTokens) this.#shorten();
    return more;
  }

  end(): string {
    const rest = this.#text.slice(this.#given);
    [this.#tokens, this.#context, this.#text, this.#given] = [[], 0, '', 0];
    this.#mostTokens = MOST_TOKENS;
    return rest;
  }

  /** Leaves out all tokens that were given out before the last ones, which are what a decoder has to see in front of the next. */
  #keep(): void {
    const kept = this.#tokens.slice(this.#context);
    const text = this.#decode(kept);
    // A space in front of all is left out by some: the next token would be at the beginning again.
    if (text === '') return;
    this.#tokens = kept;
    this.#context = kept.length;
    this.#text = text;
    this.#given = text.length;
    this.#mostTokens = MOST_TOKENS;
  }

  /**
   * Leaves tokens out in front where the text falls apart there: bytes that make no character, without end. A character has at
   * most four bytes, so one of four places is between two of them, and a place that is within one does not give the same text.
   */
  #shorten(): void {
    const [tokens, text] = [this.#tokens, this.#text];
    for (let cut = tokens.length - 16; cut < tokens.length - 12; cut++) {
      const [head, tail] = [this.#decode(tokens.slice(0, cut)), this.#decode(tokens.slice(cut))];
      if (tail === '' || head.length > this.#given || head + tail !== text) continue;
      this.#tokens = tokens.slice(cut);
      this.#context = 0;
      this.#text = tail;
      this.#given -= head.length;
      return;
    }
    this.#mostTokens *= 2;
  }

  /** Whether a token is nothing wherever it stands, and however often: a special one that is not shown, of which there may be any number. */
  #showsNothing(token: number): boolean {
    const many = Array.from({ length: 8 }, () => token);
    if (this.#text === '') return this.#decode(many) === '';
    // It may also keep apart what is in front of it and behind.
    const [tokens, last] = [this.#tokens, this.#tokens.slice(-1)];
    return this.#decode([...tokens, ...many, ...last]) === this.#decode([...tokens, ...last]);
  }
}

function pendingLength(text: string): number {
  let count = 0;
  while (count < MOST_PENDING && text.at(-1 - count) === REPLACEMENT) count++;
  return count;
}

function commonLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}
