// shapes.test.ts: one thing varied at a time around a control case: groups, head dims, query positions, element types; by
// the kernel that the device chooses. Each case compiles shaders of its own (1 to 6 s on lavapipe), so each covers two
// lengths at once. Both templates and all sizes: kernels/decodeRegisters.test.ts and kernels/decodeTiles.test.ts.
import { describe, test } from 'vitest';
import type { ProblemOptions } from '../../src/reference/problem.ts';
import { expectRight } from '../support/attend.ts';

const control = { numQHeads: 8, numKvHeads: 2, headDim: 64, batch: 2, kvLens: [290, 77] };

describe('query heads to a KV head', () => {
  // On software adapters 9 rows make two blocks of unequal size.
  test.each([1, 3, 9])('%d', async (groupSize) => {
    await expectRight({ ...control, numQHeads: 2 * groupSize });
  });

  test('MQA: one KV head for all', async () => {
    await expectRight({ ...control, numQHeads: 4, numKvHeads: 1 });
  });
});

describe('head dims', () => {
  // In types of K and of V that differ, and those that are not alone below.
  test.each([
    [80, 'f16', 'f32'],
    [96, 'f32', 'f16'],
    [112, 'int8', 'int4'],
    [128, 'bf16', 'bf16'],
    [192, 'f16', 'int8'],
    [256, 'f16', 'f16'],
  ] as const)('%d, K %s, V %s', async (headDim, kType, vType) => {
    await expectRight({ ...control, headDim, numQHeads: 2, kType, vType });
  });
});

/** Nine rows to a KV head: their two blocks on software adapters part within a query head's positions. */
const threeOfThree = { ...control, numQHeads: 6, qLen: 3 };

describe('query positions', () => {
  test.each<[string, Partial<ProblemOptions>]>([
    ['3, causal', threeOfThree],
    ['8, causal', { qLen: 8, numQHeads: 2 }],
    ['3, not causal', { qLen: 3, numQHeads: 2, causal: false }],
  ])('%s', async (_name, options) => {
    await expectRight({ ...control, ...options });
  });

  // Shaders of the cases above.
  test.each<[string, Partial<ProblemOptions>]>([
    ['8, causal', { qLen: 8, numQHeads: 2, batch: 6, kvLens: [3, 0, 7, 8, 9, 150] }],
    ['3, not causal', { qLen: 3, numQHeads: 2, causal: false, batch: 3, kvLens: [2, 0, 300] }],
    ['3, causal, unsplit', { ...threeOfThree, batch: 6, kvLens: [1, 2, 3, 0, 33, 4] }],
  ])('%s, over fewer keys than positions', async (_name, options) => {
    await expectRight({ ...control, ...options });
  });
});

describe('element types', () => {
  test.each<[string, Partial<ProblemOptions>]>([
    ['f16', { kType: 'f16' }],
    ['f16, unsplit', { kType: 'f16', kvLens: [40, 3], capacity: 41 }],
    ['int8', { kType: 'int8', numQHeads: 2 }],
    ['int8, an odd capacity', { kType: 'int8', numQHeads: 2, kvLens: [40, 3], capacity: 41 }],
    ['int4', { kType: 'int4', numQHeads: 2 }],
  ])('%s', async (_name, options) => {
    await expectRight({ ...control, ...options });
  });
});
