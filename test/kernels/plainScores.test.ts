// plainScores.test.ts: plain_scores against its twin.
import { describe, test } from 'vitest';
import { type ProblemOptions, randomProblem, shapeOf } from '../../src/reference/problem.ts';
import { KV_TYPES } from '../../src/numbers/elements.ts';
import { plainScores as plainScoresKernel, plainScoresGrid } from '../../src/kernels/plain.ts';
import { plainScores } from '../reference/plainScores.ts';
import { testDevice } from '../support/device.ts';
import { expectWritten } from '../support/errorRule.ts';
import { F32_ROWS } from '../support/rowFormats.ts';
import { cacheInputs, numbersOf, stepWords } from '../support/runDecode.ts';
import { runKernel, unwritten } from '../support/runKernel.ts';

const device = await testDevice();

async function check(options: Omit<ProblemOptions, 'batch'>): Promise<void> {
  const problem = randomProblem({ ...options, batch: options.kvLens.length });
  const shape = shapeOf(problem);
  const { scores } = await runKernel(device, {
    kernel: plainScoresKernel(shape, problem, F32_ROWS),
    grid: plainScoresGrid(shape, Math.max(...problem.kvLens), shape.qLen),
    inputs: { q: problem.q, k_cache: cacheInputs(problem).k_cache },
    outputs: { scores: unwritten(shape.rows * problem.capacity) },
    step: stepWords(numbersOf(problem)),
  });
  // Slots past the length, NaN in the reference, are left alone.
  expectWritten('scores', scores!, plainScores(problem), plainScores(problem, Math.fround));
}

const CONTROL = { numQHeads: 8, numKvHeads: 2, headDim: 64, kvLens: [0, 1, 63, 64, 65, 130], capacity: 141 };

describe('plain_scores', () => {
  test.each(KV_TYPES)('%s keys', (kType) => check({ ...CONTROL, kType }));
  test('no slot to spare', () => check({ ...CONTROL, kvLens: [64, 64], capacity: 64 }));
  test('MHA', () => check({ ...CONTROL, numKvHeads: 8 }));
  test('MQA of 71 heads', () => check({ ...CONTROL, numQHeads: 71, numKvHeads: 1, kvLens: [3, 66] }));
  test.each([80, 96, 112, 128, 192, 256])('head dim %i', (headDim) =>
    check({ ...CONTROL, headDim, kvLens: [5, 70] }),
  );
  test.each([80, 112])('head dim %i, whose last word of int4 is part empty', (headDim) =>
    check({ ...CONTROL, headDim, kvLens: [5, 70], kType: 'int4' }),
  );

  const positions = { ...CONTROL, numQHeads: 6, qLen: 5, kvLens: [0, 1, 3, 4, 5, 6, 67] };
  test('5 positions, causal', () => check(positions));
  test('5 positions, not causal', () => check({ ...positions, causal: false }));
});
