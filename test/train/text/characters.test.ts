// characters.test.ts: texts to tokens of characters and back, and what is refused.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ShapeError } from '../../../src/device/errors.ts';
import { charVocabulary } from '../../../src/train/text/characters.ts';

const message = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(ShapeError);
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
};

test('characters are code points, each once, in their order', () => {
  const { characters, encode } = charVocabulary('b😀a\n\uffe5b');
  // UTF-16 units would put U+1F600 before U+FFE5.
  expect(characters).toEqual(['\n', 'a', 'b', '\uffe5', '😀']);
  expect(encode('a😀\n')).toEqual(Uint32Array.of(1, 4, 0));
  expect(encode('')).toEqual(new Uint32Array(0));
});

test('any text comes back, and its tokens are those of its characters', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
      const { characters, encode, decode } = charVocabulary(text);
      const tokens = encode(text);
      expect(decode(tokens)).toBe(text);
      expect([...tokens].map((token) => characters[token])).toEqual(Array.from(text));
      expect(new Set(tokens).size).toBe(characters.length);
    }),
    { numRuns: 50 },
  );
});

test('no text', () => {
  expect(message(() => charVocabulary(''))).toBe('text: expected at least one character, got an empty text');
});

test.each([
  ['ab\n😀a?', 'text: line 2, character 3: expected one of the vocabulary\'s 4 characters, got "?" U+003F'],
  ['é', 'text: line 1, character 1: expected one of the vocabulary\'s 4 characters, got "é" U+00E9'],
  ['a🐌', 'text: line 1, character 2: expected one of the vocabulary\'s 4 characters, got "🐌" U+1F40C'],
  ['a\r\n', "text: line 1, character 2: expected one of the vocabulary's 4 characters, got U+000D"],
  ['\n\n \n', "text: line 3, character 1: expected one of the vocabulary's 4 characters, got U+0020"],
  ['\ud83d', "text: line 1, character 1: expected one of the vocabulary's 4 characters, got U+D83D"],
])('a character outside: %j', (text, expected) => {
  expect(message(() => charVocabulary('ab\n😀').encode(text))).toBe(expected);
});

test.each([
  ['a😀\nx\ud83d', 'text: line 2, character 2: expected Unicode text, got U+D83D, half of a character'],
  ['😀\ude00😀', 'text: line 1, character 2: expected Unicode text, got U+DE00, half of a character'],
])('half of a surrogate pair: %j', (text, expected) => {
  expect(message(() => charVocabulary(text))).toBe(expected);
});

test.each([3, -1, 0.5, NaN])('a token outside: %d', (token) => {
  expect(message(() => charVocabulary('abc').decode([0, token]))).toBe(
    `text: token 1: expected a whole number below the vocabulary's 3, got ${token}`,
  );
});
