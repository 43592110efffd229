// expected.test.ts: the losses that trainings are held against: what may be off, and faults of an update that may not.
import { describe, expect, test } from 'vitest';
import {
  CHECKED_STEPS,
  checkLosses,
  expectLosses,
  TOLERANCE,
  type Update,
} from '../../../../bench/peers/train/expected.ts';
import { ADAMW, makeProblem } from '../../../../bench/peers/train/problem.ts';

const problem = makeProblem('tiny', 42);
const expected = expectLosses(problem);

test('a loss for each step, from that of chance downwards', () => {
  expect(expected).toHaveLength(CHECKED_STEPS);
  expect(expected[0]).toBeGreaterThan(Math.log(problem.vocab));
  expect(expected).toEqual(expected.toSorted((a, b) => b - a));
});

test('the truth passes, and so does what is off by less than the bound', () => {
  expect(checkLosses(expected, expected)).toMatchObject({ pass: true, maxAbsErr: 0, bound: TOLERANCE });
  const near = expected.map((loss) => loss + TOLERANCE / 2);
  expect(checkLosses(expected, near)).toMatchObject({ pass: true });
});

test.each([
  ['the last loss is off by twice the bound', [...expected.slice(0, -1), expected.at(-1)! + 2 * TOLERANCE]],
  ['the first is NaN', [NaN, ...expected.slice(1)]],
])('%s: wrong', (_, losses) => {
  expect(checkLosses(expected, losses).pass).toBe(false);
});

test('too few losses are refused', () => {
  expect(() => checkLosses(expected, expected.slice(1))).toThrow('expected losses of 4 steps, got 3');
});

describe('an update is wrong', () => {
  const faults: Record<string, Partial<Update>> = {
    'without weight decay': { weightDecay: 0 },
    'without clipping': { clip: Infinity },
    'with another beta1': { beta1: 0.89 },
    'with another beta2': { beta2: 0.999 },
    'with a rate that is a thousandth off': { rate: 1.001 * ADAMW.rate },
    'with another eps': { eps: 1e-7 },
  };
  test.each(Object.entries(faults))('%s', (_, fault) => {
    expect(checkLosses(expected, expectLosses(problem, { ...ADAMW, ...fault })).pass).toBe(false);
  });
});
