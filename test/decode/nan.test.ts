// nan.test.ts: NaN or infinity in a live slot of a cache shows in the rows that see it, and in no other: in K as NaN, in V as
// NaN or infinity.
import { describe, expect, test } from 'vitest';
import { randomProblem, storeProblem, type ProblemOptions } from '../../src/reference/problem.ts';
import { runProblem } from '../../bench/check/runProblem.ts';
import { expect64, verify } from '../../src/reference/verify.ts';
import { KV_TYPES } from '../../src/index.ts';
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

describe.each(KERNELS)('%s', (kernel) => {
  // Splits in turn: every type and every value meets one and several.
  const cases = KV_TYPES.flatMap((type, i) =>
    (['k', 'v'] as const).flatMap((tensor, j) =>
      [NaN, Infinity, -Infinity].map((x, n) => [x, tensor, type, (i + j + n) % 2 === 0 ? 1 : 4] as const),
    ),
  );

  test.each(cases)('%d in %s of %s, %i splits', async (value, tensor, type, numSplits) => {
    const right = randomProblem({ ...options, kType: type });
    const head = 2; // sequence 1, KV head 0
    const poisoned = { ...right, [tensor]: right[tensor].slice() };
    poisoned[tensor].fill(value, (head * CAPACITY + 41) * 64, (head * CAPACITY + 42) * 64);
    const run = { kernel, ...(kernel !== 'plain' && { numSplits }) };
    const { o, lse } = await runProblem(device, storeProblem({ ...poisoned, capacity: CAPACITY }), run);
    const [first, last] = [head * GROUP, (head + 1) * GROUP];
    expect([...o.subarray(first * 64, last * 64)].filter(Number.isFinite)).toEqual([]);
    const ofK = tensor === 'k' ? [...lse.subarray(first, last), ...o.subarray(first * 64, last * 64)] : [];
    expect(ofK.filter((x) => !Number.isNaN(x))).toEqual([]);
    const expected = expect64(right);
    o.set(expected.truth.o.subarray(first * 64, last * 64), first * 64);
    lse.set(expected.truth.lse.subarray(first, last), first);
    expect(verify(expected, o, lse)).toMatchObject({ pass: true });
  });
});
