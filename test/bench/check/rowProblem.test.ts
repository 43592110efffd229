// rowProblem.test.ts: single rows as problems of their own: the same result as in the whole.
import { expect, test } from 'vitest';
import { expectRows, verifyRows } from '../../../bench/run/prefillCheck.ts';
import { rowProblem, spotRows, type RowAt } from '../../../bench/check/rowProblem.ts';
import { normals } from '../../../src/numbers/random.ts';
import { attention } from '../../../src/reference/attention.ts';
import { randomProblem } from '../../../src/reference/problem.ts';

const PROBLEM = randomProblem({
  batch: 2,
  numQHeads: 6,
  numKvHeads: 2,
  headDim: 16,
  vHeadDim: 8,
  qLen: 9,
  kvLens: [9, 14],
  capacity: 20,
  kType: 'int8',
  vType: 'f16',
  features: {
    softcap: 2,
    window: 5,
    sinkTokens: 2,
    sinkLogits: [0, 1, -1, 2, 0.5, -2],
    alibiSlopes: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
    bias: { shape: [2, 1, 9, 20], values: normals(3, 2 * 9 * 20) },
  },
});

const { bias: _, ...rest } = PROBLEM.features!;
const BY_DISTANCE = {
  ...PROBLEM,
  features: { ...rest, relativeBias: { farthest: 3, values: normals(4, 6 * 7) } },
};

test.each([
  ['a bias for each row', PROBLEM],
  ['a bias by distance', BY_DISTANCE],
])('every row alone is what it is among the others: %s', (_name, problem) => {
  const { o, lse } = attention(problem);
  for (let b = 0; b < 2; b++) {
    for (let head = 0; head < 6; head++) {
      for (let position = 0; position < 9; position++) {
        const at: RowAt = [b, head, position];
        const alone = attention(rowProblem(problem, at));
        const row = (b * 6 + head) * 9 + position;
        expect(Array.from(alone.o)).toEqual(Array.from(o.subarray(row * 8, (row + 1) * 8)));
        expect(alone.lse[0]).toBe(lse[row]);
      }
    }
  }
});

test('a wrong row among those that are looked at is seen, and an error of the lse too', () => {
  const { o, lse } = attention(PROBLEM);
  const expected = expectRows(PROBLEM);
  const right = [Float32Array.from(o), Float32Array.from(lse)] as const;
  expect(verifyRows(expected, ...right).pass).toBe(true);
  for (const [b, head, position] of spotRows(PROBLEM)) {
    const row = (b * 6 + head) * 9 + position;
    const [wrongO, wrongLse] = [right[0].slice(), right[1].slice()];
    wrongO[row * 8 + 3]! += 0.1;
    wrongLse[row]! += 0.1;
    expect(verifyRows(expected, wrongO, right[1]).pass).toBe(false);
    expect(verifyRows(expected, right[0], wrongLse).pass).toBe(false);
  }
});

test('rows stand for the first and last positions and those between, each once', () => {
  expect(spotRows({ batch: 2, numQHeads: 8, qLen: 100 })).toEqual([
    [0, 7, 0],
    [1, 6, 1],
    [0, 5, 50],
    [1, 4, 75],
    [0, 3, 98],
    [1, 2, 99],
  ]);
  expect(spotRows({ batch: 1, numQHeads: 1, qLen: 2 })).toEqual([
    [0, 0, 0],
    [0, 0, 1],
  ]);
});
