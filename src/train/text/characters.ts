// characters.ts: a vocabulary whose tokens are characters: Unicode code points, in their order.
import { ShapeError } from '../../device/errors.ts';
import { describe } from '../../device/options.ts';
import { checkToken } from '../../models/decoder/contextArgs.ts';

/** A token per character. */
export interface CharVocabulary {
  /** The characters by token, in the order of their code points. */
  readonly characters: readonly string[];
  /** A token for each character of `text`. Throws ShapeError at the first that is not in the vocabulary, and says where it stands. */
  readonly encode: (text: string) => Uint32Array<ArrayBuffer>;
  /** The text of the tokens. Throws ShapeError where one is not of the vocabulary. */
  readonly decode: (tokens: ArrayLike<number>) => string;
}

/** The vocabulary of the characters that `text` has. Throws ShapeError where there is none, or half of a surrogate pair. */
export function charVocabulary(text: string): CharVocabulary {
  if (typeof text !== 'string') throw new ShapeError(`text: expected a string, got ${describe(text)}`);
  const codes = [...distinctCodes(text)].toSorted((a, b) => a - b);
  if (codes.length === 0) throw new ShapeError('text: expected at least one character, got an empty text');
  const lone = codes.find(isSurrogate);
  if (lone !== undefined) {
    const place = placeOf(text, offsetOf(text, lone));
    throw new ShapeError(`text: ${place}: expected Unicode text, got ${codeName(lone)}, half of a character`);
  }
  const characters = codes.map((code) => String.fromCodePoint(code));
  const ids = new Map(codes.map((code, id) => [code, id]));
  return {
    characters,
    encode: (given) => encode(ids, given),
    decode: (tokens) =>
      Array.from(tokens, (token, i) => {
        checkToken('text', i, token, characters.length);
        return characters[token]!;
      }).join(''),
  };
}

function distinctCodes(text: string): Set<number> {
  const codes = new Set<number>();
  for (const character of text) codes.add(character.codePointAt(0)!);
  return codes;
}

function encode(ids: ReadonlyMap<number, number>, text: string): Uint32Array<ArrayBuffer> {
  const tokens = new Uint32Array(text.length);
  let count = 0;
  let offset = 0;
  for (const character of text) {
    const id = ids.get(character.codePointAt(0)!);
    if (id === undefined) throw outside(ids.size, text, offset);
    tokens[count++] = id;
    offset += character.length;
  }
  return tokens.slice(0, count);
}

function outside(size: number, text: string, offset: number): ShapeError {
  const code = text.codePointAt(offset)!;
  // Controls, separators and halves would not show.
  const shown = /[\p{C}\p{Z}]/u.test(String.fromCodePoint(code)) ? '' : `"${String.fromCodePoint(code)}" `;
  return new ShapeError(
    `text: ${placeOf(text, offset)}: expected one of the vocabulary's ${size} characters, got ${shown}${codeName(code)}`,
  );
}

/** Line and character in it, both from 1, of what stands at an offset of UTF-16 units. */
function placeOf(text: string, offset: number): string {
  const lines = text.slice(0, offset).split('\n');
  return `line ${lines.length}, character ${Array.from(lines.at(-1)!).length + 1}`;
}

/** Where a code point stands first; of half a pair, where it stands alone. */
function offsetOf(text: string, code: number): number {
  let offset = 0;
  for (const character of text) {
    if (character.codePointAt(0) === code) break;
    offset += character.length;
  }
  return offset;
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}

function codeName(code: number): string {
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}
