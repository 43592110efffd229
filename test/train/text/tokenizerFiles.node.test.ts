// tokenizerFiles.node.test.ts: a vocabulary of characters as tokenizer files, read by the library that reads tokenizers of models.
import { expect, test } from 'vitest';
import { makeTokenizer } from '../../../bench/model/text.ts';
import { charVocabulary, type CharVocabulary } from '../../../src/train/text/characters.ts';
import { charTokenizerFiles } from '../../../src/train/text/tokenizerFiles.ts';

/** By way of their text, as a folder has them. */
function libraryTokenizer(vocabulary: CharVocabulary) {
  const files = JSON.parse(JSON.stringify(charTokenizerFiles(vocabulary))) as Record<string, object>;
  return makeTokenizer(files['tokenizer.json']!, files['tokenizer_config.json']!, 'tokenizer.json');
}

// All of ASCII, what JSON and regular expressions escape, other blanks and line ends, combining marks, an astral sequence, a private
// and an unassigned code point.
const ASCII = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)).join('');
const TEXT = `${ASCII}\u0085\u00a0\u2028\u2029\u3000\ufeff\u200b\u200dé e\u0301 ẞßſKK 漢字 ﷺ 👩‍👩‍👧 𝔘 \ue000 \u{10ffff} <unk> </s> [UNK] ▁Ġ`;

test('tokens and texts are the vocabulary’s own, for each character and for all', async () => {
  const vocabulary = charVocabulary(TEXT);
  const library = await libraryTokenizer(vocabulary);
  for (const [id, character] of vocabulary.characters.entries()) {
    expect([character, library.encode(character)]).toEqual([character, [id]]);
    expect(library.decode([id])).toBe(character);
  }
  expect(library.encode(TEXT)).toEqual([...vocabulary.encode(TEXT)]);
  expect(library.decode([...vocabulary.encode(TEXT)])).toBe(TEXT);
});

test.each([" it 's , he said . \n\n\n ! ? n't  'm do not 've", '  ', '\n', ' .', '.\r\n\t.', '\n a'])(
  'blanks stay where they are: %j',
  async (text) => {
    const vocabulary = charVocabulary(text);
    const library = await libraryTokenizer(vocabulary);
    expect(library.encode(text)).toEqual([...vocabulary.encode(text)]);
    expect(library.decode(library.encode(text))).toBe(text);
  },
);

test('a character outside is an error and is not left out', async () => {
  const library = await libraryTokenizer(charVocabulary('ab'));
  expect(() => library.encode('aéb')).toThrow('tokenizer.json: the tokenizer has no token for "é"');
});
