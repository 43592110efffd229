// properties.test.ts: random decode problems against the float64 reference. What is compiled into shaders comes from a
// short list; heads, batches, lengths, capacities, scales and splits are free.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { randomProblem, type ProblemOptions } from '../src/reference/problem.ts';
import { runProblem, type RunOptions } from '../bench/check/runProblem.ts';
import { expectClose } from './support/attend.ts';
import { testDevice } from './support/device.ts';
import { TEMPLATES } from './support/kernels.ts';
import { runsOf } from './support/randomRuns.ts';

type Compiled = Pick<ProblemOptions, 'headDim' | 'qLen' | 'causal' | 'kType' | 'vType'> &
  Pick<RunOptions, 'kernel'> & { readonly groupSize: number };

// The shaders of decode/shapes.test.ts and decode/variants.test.ts.
const COMPILED: readonly Compiled[] = [
  ...TEMPLATES.map((kernel) => ({ headDim: 64, groupSize: 4, kernel })),
  { headDim: 64, groupSize: 4, kType: 'f16' },
  { headDim: 64, groupSize: 1, kType: 'int8' },
  { headDim: 64, groupSize: 1, kType: 'int4' },
  { headDim: 64, groupSize: 1, qLen: 3, causal: false },
  { headDim: 64, groupSize: 3, qLen: 3 },
  { headDim: 80, groupSize: 1, kType: 'f16' },
  { headDim: 64, groupSize: 4, kernel: 'plain' },
  { headDim: 64, groupSize: 4, kType: 'int4', vType: 'int8', kernel: 'plain' },
];

const problems = fc
  .record({
    compiled: fc.constantFrom(...COMPILED),
    numKvHeads: fc.integer({ min: 1, max: 4 }),
    kvLens: fc.array(fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 400 })), {
      minLength: 1,
      maxLength: 4,
    }),
    spare: fc.integer({ min: 1, max: 70 }),
    smScale: fc.option(fc.double({ min: -1, max: 1, noNaN: true }), { nil: undefined }),
    seed: fc.integer({ min: 1, max: 1e6 }),
    split: fc.constantFrom<RunOptions>({}, {}, { deterministic: true }, { numSplits: 1 }),
  })
  .map(({ compiled: { groupSize, kernel, ...compiled }, spare, split, smScale, ...free }) => ({
    problem: {
      ...compiled,
      ...free,
      batch: free.kvLens.length,
      numQHeads: free.numKvHeads * groupSize,
      capacity: Math.max(...free.kvLens) + spare,
      ...(smScale === undefined ? {} : { smScale }),
    },
    run: { ...split, ...(kernel && { kernel }) },
  }));

test('random shapes and lengths agree with the reference', async () => {
  const device = await testDevice();
  await fc.assert(
    fc.asyncProperty(problems, async ({ problem, run }) => {
      const stored = randomProblem(problem);
      const { o, lse } = await runProblem(device, stored, run);
      expectClose(stored, o, lse);
    }),
    { seed: 20250611, numRuns: runsOf(35) },
  );
});

test('a failure prints the seed and the problem', () => {
  const fails = () =>
    fc.assert(
      fc.property(problems, () => false),
      { seed: 7, numRuns: 1 },
    );
  expect(fails).toThrow(/seed: 7/);
  expect(fails).toThrow(/"headDim":64.*"seed":/);
});
