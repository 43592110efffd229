// variants.test.ts: kernels that this machine would not choose by itself: the plain one, the other reduction, and the
// sizes that GPUs get, which a software adapter runs all the same.
import { describe, expect, test } from 'vitest';
import type { ProblemOptions } from '../../bench/problem.ts';
import { checkShape, createDecoder, createKvCache } from '../../src/index.ts';
import { chooseSplitVariant } from '../../src/kernels/decodeSplit.ts';
import { expectRight } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';
import { GPU_FACTS } from '../support/deviceFacts.ts';

const control = { numQHeads: 8, numKvHeads: 2, headDim: 64, batch: 2, kvLens: [290, 77] };
const f16InThree = { ...control, headDim: 80, kType: 'f16', qLen: 3 } as const;

describe('plain kernel', () => {
  test.each<[string, ProblemOptions]>([
    ['control', control],
    ['other lengths', { ...control, batch: 4, kvLens: [0, 64, 65, 200], capacity: 333 }],
    ['nothing at all', { ...control, kvLens: [0, 0], capacity: 9 }],
    ['other heads, same group', { ...control, numQHeads: 12, numKvHeads: 3 }],
    ['f16, D 80, causal', f16InThree],
    ['f16, D 80, over fewer keys than positions', { ...f16InThree, batch: 4, kvLens: [1, 2, 0, 66] }],
    [
      'MHA, not causal, V f16',
      { ...control, numKvHeads: 8, qLen: 2, causal: false, kType: 'f32', vType: 'f16' },
    ],
  ])('%s', async (_name, problem) => {
    await expectRight(problem, { kernel: 'plain' });
  });
});

describe('reductions', () => {
  test('subgroups are the default where the device has them', async () => {
    const device = await testDevice();
    const cache = await createKvCache(device, { ...control, capacity: 4 });
    const decoder = await createDecoder(device, { ...control, cache });
    expect(decoder.context.variant.reduce).toBe(device.facts.subgroups ? 'subgroup' : 'workgroup');
    decoder.destroy();
    cache.destroy();
  });

  test('workgroup', async () => {
    await expectRight(control, { variant: { reduce: 'workgroup' } });
  });
});

describe('sizes for GPUs', () => {
  // Between them: one and several sets of rows, sets that share keys, invocations left over (D 80), two row blocks.
  test.each<[string, ProblemOptions]>([
    ['4 rows, D 80', { ...control, headDim: 80, kvLens: [150, 65] }],
    ['24 rows', { ...control, numQHeads: 24, numKvHeads: 1, kvLens: [150, 33] }],
    ['100 rows', { ...control, numQHeads: 50, numKvHeads: 1, qLen: 2, kvLens: [140, 1] }],
  ])('%s', async (_name, problem) => {
    const variant = chooseSplitVariant(checkShape(problem), GPU_FACTS, 'workgroup');
    await expectRight(problem, { variant, numSplits: 2 });
  });
});
