// text.test.ts: text that grows token by token is never taken back, whatever a character is made of.
import { expect, test } from 'vitest';
import { GrowingText, makeTokenizer } from '../../../bench/model/text.ts';

const BYTES = new TextEncoder().encode('a€b');

/** A tokenizer whose tokens are bytes. */
const bytes = {
  encode: (text: string) => [...new TextEncoder().encode(text)],
  decode: (tokens: readonly number[]) => new TextDecoder().decode(Uint8Array.from(tokens)),
};

test('a character of several tokens comes when it is whole', () => {
  const growing = new GrowingText(bytes);
  expect([...BYTES].map((token) => growing.add(token))).toEqual(['a', '', '', '€', 'b']);
  expect(growing.end()).toBe('');
});

test('half of one is shown at the end', () => {
  const growing = new GrowingText(bytes);
  for (const token of BYTES.subarray(0, 2)) growing.add(token);
  expect(growing.end()).toBe('\ufffd');
});

/** A tokenizer of words that puts a space in front of each but the first of a text, and draws a full stop to the word before. */
const words = {
  list: ['', 'Once', 'upon', '.', 'a', 'time'],
  longest: 0,
  encode: () => [],
  decode(tokens: readonly number[]): string {
    this.longest = Math.max(this.longest, tokens.length);
    const kept = tokens.filter((token) => token > 0).map((token) => this.list[token]!);
    return kept.join(' ').replaceAll(' .', '.');
  },
};

test('a decoder that tidies up, and tokens that are not shown, lose nothing behind them', () => {
  const growing = new GrowingText(words);
  const tokens = [1, 2, 3, 0, 4, 5, 3];
  expect(tokens.map((token) => growing.add(token)).join('') + growing.end()).toBe('Once upon. a time.');
});

test('no more than the last tokens are decoded again', () => {
  const growing = new GrowingText(words);
  words.longest = 0;
  for (let i = 0; i < 100; i++) growing.add(4);
  expect(words.longest).toBeLessThanOrEqual(3);
});

test('a tokenizer of the library: nothing is the text of no tokens', async () => {
  const model = { type: 'BPE', vocab: { a: 0, b: 1 }, merges: [] };
  const tokenizer = await makeTokenizer(
    {
      version: '1.0',
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      model,
      decoder: { type: 'Fuse' },
    },
    {},
    't.json',
  );
  expect(tokenizer.decode([])).toBe('');
  const growing = new GrowingText(tokenizer);
  expect([1, 0].map((token) => growing.add(token)).join('') + growing.end()).toBe('ba');
});
