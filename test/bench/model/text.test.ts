// text.test.ts: text that grows token by token is never taken back, whatever a character is made of.
import { expect, test } from 'vitest';
import { GrowingText } from '../../../bench/model/text.ts';

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
