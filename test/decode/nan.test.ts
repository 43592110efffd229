// nan.test.ts: a NaN in a live slot of a cache shows in the rows that see it, and in no other: as NaN or, where a driver's exp
// makes it so, infinity.
import { describe, expect, test } from 'vitest';
import { randomProblem, runProblem, storeProblem, type ProblemOptions } from '../../bench/problem.ts';
import { expect64, verify } from '../../bench/verify.ts';
import { testDevice } from '../support/device.ts';
import { KERNELS } from '../support/kernels.ts';

const device = await testDevice();

const options = {
  batch: 2,
  numQHeads: 8,
  numKvHeads: 2,
  headDim: 64,
  kvLens: [150, 70],
} satisfies ProblemOptions;
const GROUP = 4;
const CAPACITY = 150;

describe.each(KERNELS.filter((kernel) => kernel !== 'matrix'))('%s', (kernel) => {
  test.each([
    ['k', 1],
    ['v', 1],
    ['k', 4],
    ['v', 4],
  ] as const)('a NaN in %s, %i splits', async (tensor, numSplits) => {
    const right = randomProblem(options);
    const head = 2; // sequence 1, KV head 0
    const poisoned = { ...right, [tensor]: right[tensor].slice() };
    poisoned[tensor].fill(NaN, (head * CAPACITY + 41) * 64, (head * CAPACITY + 42) * 64);
    const run = { kernel, ...(kernel !== 'plain' && { numSplits }) };
    const { o, lse } = await runProblem(device, storeProblem({ ...poisoned, capacity: CAPACITY }), run);
    const [first, last] = [head * GROUP, (head + 1) * GROUP];
    expect([...o.subarray(first * 64, last * 64)].filter(Number.isFinite)).toEqual([]);
    if (tensor === 'k') expect([...lse.subarray(first, last)].filter(Number.isFinite)).toEqual([]);
    const expected = expect64(right);
    o.set(expected.truth.o.subarray(first * 64, last * 64), first * 64);
    lse.set(expected.truth.lse.subarray(first, last), first);
    expect(verify(expected, o, lse)).toMatchObject({ pass: true });
  });
});
