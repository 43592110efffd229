// matmulStaged.test.ts: matmul_staged against its twin: every kind, at the borders of tiles and of steps, and between.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkMatmul } from '../../support/matmulCase.ts';
import { everyTwo } from '../../support/pairs.ts';
import { runsOf } from '../../support/randomRuns.ts';
import { MATMUL_KINDS } from '../../support/trainKernels/matmul.ts';

const GPU = { software: false } as const;

const AXES = {
  kind: MATMUL_KINDS,
  rows: [1, 32, 33, 65],
  inputs: [4, 28, 32, 68],
  outputs: [4, 28, 32, 36],
} as const;

test('every two of kinds and sizes together', async () => {
  const cases = everyTwo(AXES);
  expect(cases.length).toBeGreaterThan(18);
  for (const { kind, ...sizes } of cases) await checkMatmul({ ...GPU, ...kind, ...sizes });
}, 120_000);

test.each([
  { form: 'weights', bias: true, rows: 100, parts: 3 },
  // Shares end within a step, and the last part has no rows.
  { form: 'weights', bias: true, rows: 40, parts: 9 },
  { form: 'inputs', bias: true, residual: true, rows: 150, grid: [2, 3, 1] },
] as const)('$form of $rows rows in a grid of its own', async (c) => {
  await checkMatmul({ ...GPU, ...c, inputs: 20, outputs: 12 });
});

test('any shape', async () => {
  const four = fc.integer({ min: 1, max: 20 }).map((n) => 4 * n);
  const shape = fc.record({
    kind: fc.constantFrom(...MATMUL_KINDS),
    rows: fc.integer({ min: 1, max: 70 }),
    inputs: four,
    outputs: four,
    seed: fc.integer({ min: 2, max: 1000 }),
  });
  const property = fc.asyncProperty(shape, async ({ kind, ...sizes }) => {
    await checkMatmul({ ...GPU, ...kind, ...sizes });
  });
  await fc.assert(property, { numRuns: runsOf(5), seed: 7, endOnFailure: true });
}, 120_000);

test('the same product twice has the same bits', async () => {
  const one = { ...GPU, form: 'weights', bias: true, rows: 90, inputs: 36, outputs: 20, parts: 3 } as const;
  expect(await checkMatmul(one)).toEqual(await checkMatmul(one));
});
