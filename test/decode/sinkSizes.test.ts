// sinkSizes.test.ts: sink logits far above and far below all scores, with splits and with no key at all.
import { expect, test } from 'vitest';
import { runProblem } from '../../bench/check/runProblem.ts';

import { attention } from '../../src/reference/attention.ts';
import { randomProblem } from '../../src/reference/problem.ts';
import { expectClose } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';

// A kernel that takes a sink's weight without letting it take part in the maximum has infinity for the large ones.
test.each([undefined, 3])('in %s splits', async (numSplits) => {
  const sinkLogits = [100, -100, 1e4, -1e4, 1e30, -1e30];
  const problem = randomProblem({
    batch: 2,
    numQHeads: 6,
    numKvHeads: 2,
    headDim: 64,
    kvLens: [130, 0],
    kType: 'f16',
    features: { sinkLogits },
  });
  const split = numSplits ? { numSplits } : {};
  const { o, lse } = await runProblem(await testDevice(), problem, { ...split });
  expectClose(problem, o, lse);
  expect([...lse.subarray(6)]).toEqual(sinkLogits.map(Math.fround));
  expect(
    attention(problem)
      .o.subarray(4 * 64, 5 * 64)
      .every((x) => x === 0),
  ).toBe(true);
});
