// shapes.test.ts: one thing varied at a time around a control case: groups, head dims, query positions, element types.
// Each case compiles shaders of its own, so each covers several lengths at once.
import { describe, test } from 'vitest';
import type { ProblemOptions } from '../../bench/problem.ts';
import { expectRight } from '../support/attend.ts';

const control = { numQHeads: 8, numKvHeads: 2, headDim: 64, batch: 2, kvLens: [290, 77] };

describe('query heads to a KV head', () => {
  // 9 rows make two blocks of unequal size on software adapters.
  test.each([1, 3, 9, 16])('%d', async (groupSize) => {
    await expectRight({ ...control, numQHeads: 2 * groupSize });
  });

  test('MQA: one KV head for all', async () => {
    await expectRight({ ...control, numQHeads: 8, numKvHeads: 1 });
  });
});

describe('head dims', () => {
  test.each([80, 96, 112, 128, 192, 256])('%d', async (headDim) => {
    await expectRight({ ...control, headDim });
  });
});

describe('query positions', () => {
  test.each<[string, Partial<ProblemOptions>]>([
    ['2, causal', { qLen: 2 }],
    ['8, causal', { qLen: 8, numQHeads: 4 }],
    ['3, not causal', { qLen: 3, causal: false }],
  ])('%s', async (_name, options) => {
    await expectRight({ ...control, ...options });
  });

  // The shaders of the cases above, and their unsplit twin.
  test('8, causal, over fewer keys than positions', async () => {
    const few = { ...control, qLen: 8, numQHeads: 4, batch: 5, capacity: 40 };
    await expectRight({ ...few, kvLens: [3, 0, 7, 8, 33] });
    await expectRight({ ...few, kvLens: [1, 1, 2, 0, 9] });
  });

  test('3, not causal, over fewer keys than positions', async () => {
    await expectRight({ ...control, qLen: 3, causal: false, batch: 3, kvLens: [2, 0, 300] });
  });
});

describe('element types', () => {
  test.each<[string, Partial<ProblemOptions>]>([
    ['f16', { kType: 'f16' }],
    ['K f16, V f32', { kType: 'f16', vType: 'f32' }],
    ['K f32, V f16', { kType: 'f32', vType: 'f16' }],
    ['f16, D 80', { kType: 'f16', headDim: 80 }],
  ])('%s', async (_name, options) => {
    await expectRight({ ...control, ...options });
  });

  test('f16, unsplit', async () => {
    await expectRight({ ...control, kType: 'f16', kvLens: [40, 3], capacity: 41 });
  });
});
