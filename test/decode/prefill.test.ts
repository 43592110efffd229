// prefill.test.ts: chunks of many positions by the kernel that is made for them, against float64.
import { expect, test } from 'vitest';
import { cacheLayout, checkShape } from '../../src/index.ts';
import { chooseFused } from '../../src/kernels/fused.ts';
import type { ProblemOptions } from '../../src/reference/problem.ts';
import { expectRight } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';

const control = { numQHeads: 8, numKvHeads: 2, headDim: 64, qLen: 70 };

test.each<[string, ProblemOptions]>([
  ['a whole prompt', { ...control, kvLens: [70] }],
  ['a chunk behind others', { ...control, kvLens: [301] }],
  ['more positions than keys', { ...control, kvLens: [33] }],
  ['no keys', { ...control, kvLens: [0], capacity: 5 }],
  ['sequences of several lengths', { ...control, batch: 3, kvLens: [31, 97, 200] }],
  [
    'groups of 7, V of int8',
    { ...control, numQHeads: 7, numKvHeads: 1, headDim: 80, kvLens: [90], vType: 'int8' },
  ],
  [
    'no mask, K of int4',
    { ...control, numQHeads: 2, headDim: 128, causal: false, kvLens: [65], kType: 'int4', vType: 'f16' },
  ],
])('%s', async (_name, problem) => {
  await expectRight(problem, { kernel: 'prefill' });
});

test('splits are merged', async () => {
  await expectRight({ ...control, kvLens: [300] }, { kernel: 'prefill', numSplits: 3 });
});

test.each([
  [8, false],
  [9, true],
])('%d positions: chosen %s', async (qLen, chosen) => {
  const { facts } = await testDevice();
  const shape = checkShape({ ...control, qLen });
  const { template } = chooseFused(shape, cacheLayout({ numKvHeads: 2, headDim: 64, capacity: 100 }), facts);
  expect(template === 'prefill').toBe(chosen);
});
