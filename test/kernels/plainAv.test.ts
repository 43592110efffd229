// plainAv.test.ts: plain_av against its twin.
import { describe, test } from 'vitest';
import { type ProblemOptions, randomProblem, shapeOf } from '../../src/reference/problem.ts';
import { uniform } from '../../src/numbers/random.ts';
import { KV_TYPES } from '../../src/numbers/elements.ts';
import { plainAv as plainAvKernel, rowGrid } from '../../src/kernels/plain.ts';
import { visibleKeys } from '../../src/reference/attention.ts';
import { plainAv } from '../reference/plainAv.ts';
import { testDevice } from '../support/device.ts';
import { expectWritten } from '../support/errorRule.ts';
import { F32_ROWS } from '../support/rowFormats.ts';
import { cacheInputs, numbersOf, stepWords } from '../support/runDecode.ts';
import { runKernel, unwritten } from '../support/runKernel.ts';

const device = await testDevice();

async function check(options: Omit<ProblemOptions, 'batch'>): Promise<void> {
  const problem = randomProblem({ ...options, batch: options.kvLens.length });
  const shape = shapeOf(problem);
  const next = uniform(4);
  // Weights of hidden keys and past the length are NaN: they must not be read.
  const weights = Float32Array.from({ length: shape.rows * problem.capacity }, (_, i) => {
    const row = Math.floor(i / problem.capacity);
    const b = Math.floor(row / (shape.numQHeads * shape.qLen));
    return i % problem.capacity < visibleKeys(problem, b, Math.floor(row / shape.numQHeads) % shape.qLen)
      ? next()
      : NaN;
  });
  const { o } = await runKernel(device, {
    kernel: plainAvKernel(shape, problem, F32_ROWS),
    grid: rowGrid(shape, shape.qLen),
    inputs: { weights, v_cache: cacheInputs(problem).v_cache },
    outputs: { o: unwritten(problem.q.length) },
    step: stepWords(numbersOf(problem)),
  });
  expectWritten('o', o!, plainAv(problem, weights), plainAv(problem, weights, Math.fround));
}

const CONTROL = { numQHeads: 8, numKvHeads: 2, headDim: 64, kvLens: [0, 1, 2, 65, 130], capacity: 133 };

describe('plain_av', () => {
  test.each(KV_TYPES)('%s values', (vType) => check({ ...CONTROL, vType }));
  test('MHA', () => check({ ...CONTROL, numKvHeads: 8 }));
  test('MQA of 71 heads', () => check({ ...CONTROL, numQHeads: 71, numKvHeads: 1, kvLens: [3, 66] }));
  test.each([80, 96, 112, 128, 192, 256])('head dim %i', (headDim) =>
    check({ ...CONTROL, headDim, kvLens: [5, 70] }),
  );
  test.each([80, 112])('head dim %i, whose last word of int4 is part empty', (headDim) =>
    check({ ...CONTROL, headDim, kvLens: [5, 70], vType: 'int4' }),
  );

  const positions = { ...CONTROL, numQHeads: 6, qLen: 5, kvLens: [0, 1, 3, 4, 5, 6, 67] };
  test('5 positions, causal', () => check(positions));
  test('5 positions, not causal', () => check({ ...positions, causal: false }));
});
