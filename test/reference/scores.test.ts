// scores.test.ts: scores stage by stage, on numbers that are worked out by hand.
import { expect, test } from 'vitest';
import type { AttentionProblem } from '../../src/reference/attentionProblem.ts';
import { SCORE_STAGES, scoresOf } from '../../src/reference/scores.ts';

/** Two query heads over one KV head, two positions, three keys of four slots; scaled products are q * (1, 2, 3). */
const PROBLEM: AttentionProblem = {
  batch: 1,
  numQHeads: 2,
  numKvHeads: 1,
  headDim: 1,
  qLen: 2,
  causal: true,
  capacity: 4,
  kvLens: [3],
  smScale: 0.5,
  q: Float32Array.of(2, 4, 6, 8),
  k: Float32Array.of(1, 2, 3, NaN),
  v: Float32Array.of(0, 0, 0, NaN),
  features: {
    softcap: 2,
    sinkLogits: [-1e30, 0],
    alibiSlopes: [0, 1],
    bias: { shape: [1, 1, 1, 3], values: Float32Array.of(-Infinity, 10, 20) },
  },
};

const cap = (x: number) => 2 * Math.tanh(x / 2);
const [no, e] = [-Infinity, Math.exp];
// Head 1, position 1: its own key is 2, so slot 1 is one away; the sink has logit 0.
const b = cap(8) - 1 + 10;

test.each([
  ['scaled', [1, 2, 3, 2, 4, 6, 3, 6, 9, 4, 8, 12]],
  ['capped', [1, 2, 3, 2, 4, 6, 3, 6, 9, 4, 8, 12].map(cap)],
  ['biased', [no, cap(2) + 10, no, no, cap(4) + 10, cap(6) + 20, no, cap(6) + 10, no, no, b, cap(12) + 20]],
  [
    'weights',
    [
      0,
      1,
      0,
      0,
      1 / (1 + e(cap(6) - cap(4) + 10)),
      1 / (1 + e(cap(4) - cap(6) - 10)),
      0,
      1 / (1 + e(-cap(6) - 10)),
      0,
      0,
      e(b) / (1 + e(b) + e(cap(12) + 20)),
      e(cap(12) + 20) / (1 + e(b) + e(cap(12) + 20)),
    ],
  ],
] as const)('%s', (stage, want) => {
  const got = scoresOf(PROBLEM, stage, 3);
  expect(got.length).toBe(12);
  for (const [at, x] of got.entries())
    expect([at, x]).toEqual([at, x === want[at] ? x : expect.closeTo(want[at]!, 12)]);
});

test('a row that sees no key has no weights; there are four stages', () => {
  expect([...scoresOf({ ...PROBLEM, kvLens: [0] }, 'weights', 1)]).toEqual([0, 0, 0, 0]);
  expect(SCORE_STAGES).toHaveLength(4);
  expect(() => scoresOf({ ...PROBLEM, qLen: 0 }, 'scaled', 3)).toThrow('scores: qLen: expected a positive');
});
