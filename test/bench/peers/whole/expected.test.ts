// expected.test.ts: the reference of a small Llama, and what is held against it: right answers, spoilt ones, ties.
import { beforeAll, expect, test } from 'vitest';
import { checkAnswer, expectWhole, type WholeExpected } from '../../../../bench/peers/whole/expected.ts';
import { makeLlama, type Llama } from '../../../../bench/peers/whole/llama.ts';

const SIZES = { layers: 1, heads: 4, kvHeads: 2, headDim: 8, mlp: 16, vocab: 50 } as const;
const PROMPT = [3, 41, 7];

let llama: Llama;
let expected: WholeExpected;

beforeAll(async () => {
  llama = await makeLlama({ ...SIZES, type: 'f16' }, 1);
  expected = await expectWhole(llama.source, 'f16', PROMPT, 3);
});

/** The truth, with some logits replaced. */
function spoilt(at: number, by: (row: Float64Array) => void) {
  const logits = expected.logits.map((row) => row.slice());
  by(logits[at]!);
  return { logits, greedy: expected.greedy };
}

test('the greedy tokens are the likeliest ones behind the prompt, and there are logits behind all but the last', () => {
  expect(expected.logits).toHaveLength(5);
  expect(expected.greedy).toEqual(expected.logits.slice(2).map((row) => row.indexOf(Math.max(...row))));
});

test('an f16 implementation may be further off than one in f32; over f32 caches the bound is that of f32 alone', async () => {
  const { bounds } = await expectWhole(llama.source, 'f32', PROMPT, 3);
  expect(bounds.f32).toBeGreaterThan(0);
  expect(bounds.f32).toBeLessThan(1e-4);
  expect(bounds.f16).toBe(bounds.f32);
  expect(expected.bounds.f32).toBeGreaterThan(bounds.f32); // K and V are rounded
  expect(expected.bounds.f16).toBeGreaterThan(expected.bounds.f32);
});

test('the truth passes without an error, and so does what is off by less than the bound', () => {
  const { logits, greedy } = expected;
  expect(checkAnswer(expected, 'f32', { logits, greedy })).toMatchObject({ pass: true, maxAbsErr: 0 });
  const near = spoilt(3, (row) => (row[9]! += expected.bounds.f32 / 2));
  expect(checkAnswer(expected, 'f32', near)).toMatchObject({ pass: true, bound: expected.bounds.f32 });
});

test.each([
  ['one logit that is off by twice the bound', (row: Float64Array) => (row[9]! += 2 * expected.bounds.f32)],
  ['NaN', (row: Float64Array) => (row[0] = NaN)],
])('%s fails, whichever row it is in', (_, by) => {
  for (let at = 0; at < 5; at++) expect(checkAnswer(expected, 'f32', spoilt(at, by)).pass).toBe(false);
});

test('tokens that no error explains are refused, and so are too few of them and of rows', () => {
  const { logits, greedy } = expected;
  const row = logits[3]!;
  const least = row.indexOf(Math.min(...row));
  const given = (tokens: readonly number[]) => () => checkAnswer(expected, 'f32', { logits, greedy: tokens });
  expect(given([greedy[0]!, least, greedy[2]!])).toThrow(
    `greedy token 1: expected ${greedy[1]}, got ${least}, whose logit is`,
  );
  expect(given([greedy[0]!, SIZES.vocab, greedy[2]!])).toThrow('got 50');
  expect(given(greedy.slice(1))).toThrow('expected 3 greedy tokens, got 2');
  expect(() => checkAnswer(expected, 'f32', { logits: logits.slice(1), greedy })).toThrow(
    'expected logits behind 5 tokens, got 4',
  );
});

test('of two logits that errors may put in either order either token is right, and what follows is not compared', () => {
  const tied = expected.logits.map((row) => row.slice());
  const [best] = expected.greedy;
  const other = best === 0 ? 1 : 0;
  tied[2]![other] = tied[2]![best!]! - expected.bounds.f32;
  const truth = { ...expected, logits: tied };
  const answer = { logits: tied, greedy: [other, 11, 12] };
  expect(checkAnswer(truth, 'f32', answer)).toMatchObject({ pass: true });
});
