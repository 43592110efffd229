// variants.test.ts: kernels that this machine would not choose by itself: the plain one, the other reduction, and the
// sizes that GPUs get, which a software adapter runs all the same.
import { describe, expect, test } from 'vitest';
import type { ProblemOptions } from '../../bench/problem.ts';
import { checkShape, createDecoder, createKvCache, type DeviceFacts } from '../../src/index.ts';
import { chooseSplitVariant } from '../../src/kernels/decodeSplit.ts';
import { expectRight } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';

const control = { numQHeads: 8, numKvHeads: 2, headDim: 64, batch: 2, kvLens: [290, 77] };

describe('plain kernel', () => {
  test.each<[string, ProblemOptions]>([
    ['control', control],
    ['other lengths', { ...control, batch: 4, kvLens: [0, 64, 65, 200], capacity: 333 }],
    ['nothing at all', { ...control, kvLens: [0, 0], capacity: 9 }],
    ['other heads, same group', { ...control, numQHeads: 12, numKvHeads: 3 }],
    ['f16, D 80, causal', { ...control, headDim: 80, kType: 'f16', qLen: 3 }],
    ['K f16, V f32', { ...control, kType: 'f16', vType: 'f32' }],
    ['MHA, not causal', { ...control, numKvHeads: 8, qLen: 2, causal: false }],
  ])('%s', async (_name, problem) => {
    await expectRight(problem, { kernel: 'plain' });
  });

  test('causal, over fewer keys than positions', async () => {
    const few = { ...control, headDim: 80, kType: 'f16', qLen: 3, batch: 4 } as const;
    await expectRight({ ...few, kvLens: [1, 2, 0, 66] }, { kernel: 'plain' });
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

  test('workgroup, split and whole', async () => {
    const variant = { reduce: 'workgroup' } as const;
    await expectRight(control, { variant });
    await expectRight({ ...control, kvLens: [64, 1], capacity: 65 }, { variant });
  });
});

/** Facts of a GPU with the limits that WebGPU guarantees. */
const gpu: DeviceFacts = {
  software: false,
  subgroups: true,
  subgroupMinSize: 32,
  subgroupMaxSize: 32,
  maxInvocations: 256,
  maxWorkgroupStorage: 16384,
  maxBindingBytes: 2 ** 27,
  maxBufferBytes: 2 ** 28,
  maxGrid: 65535,
};

describe('sizes for GPUs', () => {
  // Between them: one and several sets of rows, sets that share keys, invocations left over (D 80), two row blocks.
  test.each<[string, ProblemOptions]>([
    ['8 rows, D 80', { ...control, headDim: 80, numQHeads: 16, kvLens: [150, 65] }],
    ['24 rows', { ...control, numQHeads: 24, numKvHeads: 1, kvLens: [150, 33] }],
    ['64 rows, D 128', { ...control, headDim: 128, numQHeads: 8, numKvHeads: 1, qLen: 8, kvLens: [150, 5] }],
    ['100 rows', { ...control, numQHeads: 50, numKvHeads: 1, qLen: 2, kvLens: [140, 1] }],
  ])('%s', async (_name, problem) => {
    const variant = chooseSplitVariant(checkShape(problem), gpu, 'workgroup');
    await expectRight(problem, { variant, numSplits: 2 });
  });

  test('subgroup reduction with several subgroups in a workgroup', async () => {
    const { facts } = await testDevice();
    const variant = { reduce: facts.subgroups ? 'subgroup' : 'workgroup', wgSize: 32, tile: 32 } as const;
    await expectRight(control, { variant });
  });
});
