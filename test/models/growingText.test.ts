// growingText.test.ts: text that grows token by token is the text of all tokens, by every kind of decoder of tokenizer.json, and costs the same at any length.
import { describe, expect, test } from 'vitest';
import { makeTokenizer } from '../../bench/model/text.ts';
import { growingText } from '../../src/models/growingText.ts';
import { uniform } from '../../src/numbers/random.ts';

/** Tokens that are bytes. */
const bytes = (tokens: readonly number[]) => new TextDecoder().decode(Uint8Array.from(tokens));

const bytesOf = (text: string) => [...new TextEncoder().encode(text)];

/** The pieces that tokens give, and the rest. */
function piecesOf(decode: (tokens: readonly number[]) => string, tokens: readonly number[]): string[] {
  const growing = growingText(decode);
  return [...tokens.map((token) => growing.add(token)), growing.end()];
}

test('a character of several tokens comes when it is whole', () => {
  expect(piecesOf(bytes, bytesOf('a€b'))).toEqual(['a', '', '', '€', 'b', '']);
});

test('half of one is shown at the end, and the next text is another', () => {
  const growing = growingText(bytes);
  const text = () => [...bytesOf('a€')].slice(0, 3).map((token) => growing.add(token));
  expect([text(), growing.end(), text(), growing.end()]).toEqual([
    ['a', '', ''],
    '\ufffd',
    ['a', '', ''],
    '\ufffd',
  ]);
});

/** Words with a space in front of each but the first of a text, a full stop drawn to the word before, and one that is not shown. */
function words(tokens: readonly number[]): string {
  const list = ['', 'Once', 'upon', '.', 'a', 'time'];
  const kept = tokens.filter((token) => token > 0).map((token) => list[token]!);
  return kept.join(' ').replaceAll(' .', '.');
}

test('tokens that are not shown, and full stops that are drawn to words, lose nothing behind them', () => {
  expect(piecesOf(words, [0, 0, 1, 2, 3, 0, 4, 5, 3]).join('')).toBe('Once upon. a time.');
});

test('what takes back what was written does not lose what it writes in its place', () => {
  const tidy = (tokens: readonly number[]) => bytes(tokens).replaceAll(' .', '.');
  expect(piecesOf(tidy, bytesOf('x .y')).join('')).toBe('x .y');
});

/** A decoder that takes a run of bytes for broken where one is (Hugging Face's ByteFallback in Rust). */
function strict(tokens: readonly number[]): string {
  const latin = String.fromCharCode(...tokens);
  return latin.replaceAll(/[\x80-\xff]+/g, (run) => {
    const text = bytes(Array.from(run, (byte) => byte.charCodeAt(0)));
    return text.includes('\ufffd') ? '\ufffd'.repeat(run.length) : text;
  });
}

test('a character whose bytes are replaced one by one until it is whole', () => {
  expect(piecesOf(strict, bytesOf('a😀b')).join('')).toBe('a😀b');
});

const SPECIAL = {
  id: 0,
  content: '</s>',
  special: true,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
};

/** A tokenizer of these tokens, the first of which is not shown. */
function tokenizerOf(tokens: readonly string[], decoder: object | null, type: 'BPE' | 'Unigram' = 'BPE') {
  const list = ['</s>', ...tokens];
  const vocab =
    type === 'BPE'
      ? Object.fromEntries(list.map((token, id) => [token, id]))
      : list.map((token) => [token, 0]);
  return makeTokenizer(
    {
      version: '1.0',
      added_tokens: [SPECIAL],
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      decoder,
      model: { type, vocab, unk_id: 0, merges: [] },
    },
    {},
    'tokenizer.json',
  );
}

/** The letters that stand for bytes in the vocabularies of GPT-2. */
const BYTE_LETTERS = (() => {
  const own = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(own(byte) ? byte : next++));
})();
const byteLevel = (text: string) =>
  bytesOf(text)
    .map((byte) => BYTE_LETTERS[byte]!)
    .join('');
const hex = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
const HEX = Array.from({ length: 256 }, (_, byte) => hex(byte));

const PIECES = ['▁', '▁▁', '▁a', 'b', '.', '▁.', "'", 's', 'n', '\n', '漢', '😀', '\ufffd', '▁\ufffd'];
const LLAMA = [
  { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
  { type: 'ByteFallback' },
  { type: 'Fuse' },
];
const STRIP = { type: 'Strip', content: ' ', start: 1, stop: 0 };

const KINDS: readonly [name: string, tokens: readonly string[], decoder: object | null, type?: 'Unigram'][] =
  [
    [
      'ByteLevel',
      [...BYTE_LETTERS, ...['a', ' b', ' .', "'s", '漢', '😀 ', '\ufffd'].map(byteLevel)],
      { type: 'ByteLevel' },
    ],
    [
      'ByteFallback and Strip (Llama)',
      [...HEX, ...PIECES],
      { type: 'Sequence', decoders: [...LLAMA, STRIP] },
    ],
    ['ByteFallback (Gemma)', [...HEX, ...PIECES], { type: 'Sequence', decoders: LLAMA }],
    ['Metaspace (T5)', PIECES, { type: 'Metaspace', replacement: '▁', add_prefix_space: true }, 'Unigram'],
    [
      'WordPiece',
      ['un', '##der', '.', "'", 's', '##s', '漢', '\ufffd'],
      { type: 'WordPiece', prefix: '##', cleanup: true },
    ],
    ['BPEDecoder', ['a</w>', 'b', 'c</w>', '.</w>', '漢', '</w>'], { type: 'BPEDecoder', suffix: '</w>' }],
    [
      'CTC',
      ['a', 'b', '|', '<pad>'],
      { type: 'CTC', pad_token: '<pad>', word_delimiter_token: '|', cleanup: false },
    ],
    ['Fuse', PIECES, { type: 'Fuse' }],
    [
      'Strip at both ends',
      ['a', ' ', ' b', 'c '],
      { type: 'Sequence', decoders: [{ type: 'Fuse' }, { ...STRIP, stop: 1 }] },
    ],
    ['none', ['a', 'b', '.', "'s", '漢'], null],
  ];

/** Random tokens in runs: of all, of bytes past ASCII, of the one that is not shown, and of one that there is not. */
function randomTokens(next: () => number, count: number): number[] {
  const below = (n: number) => Math.floor(next() * n);
  const tokens: number[] = [];
  while (tokens.length < 64) {
    const [kind, length] = [below(5), 1 + below(6)];
    for (let i = 0; i < length; i++) {
      if (kind === 0) tokens.push(0);
      else if (kind === 1) tokens.push(count + 7);
      else if (kind === 2 && count > 256) tokens.push(1 + 0x80 + below(0x80));
      else tokens.push(1 + below(count));
    }
  }
  return tokens;
}

describe.each(KINDS)('decoder %s', (_, tokens, decoder, type) => {
  test('pieces joined are the whole', async () => {
    const { decode } = await tokenizerOf(tokens, decoder, type);
    const next = uniform(7);
    for (let round = 0; round < 60; round++) {
      const ids = randomTokens(next, tokens.length);
      expect(piecesOf(decode, ids).join(''), ids.join()).toBe(decode(ids));
    }
  });

  test('nothing is held back for long', async () => {
    const { decode } = await tokenizerOf(tokens, decoder, type);
    const ids = randomTokens(uniform(8), tokens.length);
    const growing = growingText(decode);
    let given = '';
    for (const [i, id] of ids.entries()) {
      given += growing.add(id);
      const whole = decode(ids.slice(0, i + 1));
      expect(whole.startsWith(given)).toBe(true);
      expect(whole.slice(given.length)).toMatch(/^\ufffd{0,3}$/);
    }
  });
});

test('whole characters in bytes: of every length, among others', async () => {
  const { decode, encode } = await tokenizerOf(BYTE_LETTERS, { type: 'ByteLevel' });
  const ids = bytesOf('aé€😀\ufeff\ufffd👩‍👩‍👧 ').map((byte) => byte + 1);
  expect(piecesOf(decode, ids).join('')).toBe('aé€😀\ufeff\ufffd👩‍👩‍👧 ');
  expect(encode('a')).toEqual([0x62]);
});

test.each([
  ['words', [3, 5], [2, 8]],
  ['tokens that are not shown', [0], [2]],
  ['tokens that are not shown, from the beginning', [], [0]],
  ['bytes that make no character', [3], [1 + 0xe2]],
  ['beginnings of characters', [3], [1 + 0xf0, 1 + 0x9f]],
  ['bytes that only go on', [3], [1 + 0x82]],
  ['characters of four bytes', [3], bytesOf('😀').map((byte) => byte + 1)],
  ['tokens that there are not', [3], [9999]],
])('a long text costs no more a token: %s', async (_, first, again) => {
  const tokenizer = await tokenizerOf([...BYTE_LETTERS], { type: 'ByteLevel' });
  let decoded = 0;
  const decode = (tokens: readonly number[]) => {
    decoded += tokens.length;
    return tokenizer.decode(tokens);
  };
  const ids = [...first, ...Array.from({ length: 2000 }, (__, i) => again[i % again.length]!)];
  const whole = tokenizer.decode(ids);
  expect(piecesOf(decode, ids).join('')).toBe(whole);
  expect(decoded / ids.length).toBeLessThan(100);
});

test.each([[undefined], ['1'], [-1], [0.5], [NaN]])('a token that is none is refused: %s', (token) => {
  expect(() => growingText(bytes).add(token as number)).toThrow(
    /growingText: token: expected zero or a positive/,
  );
});

test('nothing is the text of no tokens', async () => {
  const tokenizer = await tokenizerOf(['a', 'b'], { type: 'Fuse' });
  expect(tokenizer.decode([])).toBe('');
  expect(piecesOf(tokenizer.decode, [2, 1]).join('')).toBe('ba');
});
