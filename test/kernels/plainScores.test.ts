// plainScores.test.ts: plain_scores against its twin.
import { describe, expect, test } from 'vitest';
import { type ProblemOptions, randomProblem } from '../../bench/problem.ts';
import { plainScores as plainScoresKernel, plainScoresGrid } from '../../src/kernels/plain.ts';
import { checkShape } from '../../src/kernels/shape.ts';
import { plainScores } from '../reference/plainScores.ts';
import { testDevice } from '../support/device.ts';
import { expectWithinRule } from '../support/errorRule.ts';
import { stepWords } from '../support/runDecode.ts';
import { runKernel, SENTINEL, unwritten, type Words } from '../support/runKernel.ts';

const device = await testDevice();

async function check(options: Omit<ProblemOptions, 'batch'>): Promise<void> {
  const problem = randomProblem({ ...options, batch: options.kvLens.length });
  const shape = checkShape(problem);
  const { scores } = await runKernel(device, {
    kernel: plainScoresKernel(shape, problem),
    grid: plainScoresGrid(shape, Math.max(...problem.kvLens)),
    inputs: { q: problem.q, k_cache: problem.kStored as Words },
    outputs: { scores: unwritten(shape.rows * problem.capacity) },
    step: stepWords({ numSplits: 1, splitLen: 1 }, problem),
  });
  const truth = plainScores(problem);
  const naive = plainScores(problem, Math.fround);
  const written = [...truth.keys()].filter((i) => !Number.isNaN(truth[i]));
  const pick = (values: ArrayLike<number>) => written.map((i) => values[i]!);
  expectWithinRule('scores', pick(scores!), pick(truth), pick(naive));
  const rest = [...truth.keys()].filter((i) => Number.isNaN(truth[i]));
  expect(
    rest.every((i) => scores![i] === Math.fround(SENTINEL)),
    'slots past the length are left alone',
  ).toBe(true);
}

// A software driver takes twenty times longer to compile the smaller head dims, whose loop it unrolls: one of them only.
const CONTROL = { numQHeads: 8, numKvHeads: 2, headDim: 192, kvLens: [0, 1, 63, 64, 65, 130], capacity: 140 };

describe('plain_scores', () => {
  test('control case', () => check(CONTROL));
  test('f16 keys', () => check({ ...CONTROL, kType: 'f16' }));
  test('no slot to spare', () => check({ ...CONTROL, kvLens: [64, 64], capacity: 64 }));
  test('MHA', () => check({ ...CONTROL, numKvHeads: 8 }));
  test('MQA of 71 heads', () => check({ ...CONTROL, numQHeads: 71, numKvHeads: 1, kvLens: [3, 66] }));
  test.each([64, 256])('head dim %i', (headDim) => check({ ...CONTROL, headDim, kvLens: [5, 70] }));

  const positions = { ...CONTROL, numQHeads: 6, qLen: 5, kvLens: [0, 1, 3, 4, 5, 6, 67] };
  test('5 positions, causal', () => check(positions));
  test('5 positions, not causal', () => check({ ...positions, causal: false }));
});
