// matmulDirect.test.ts: matmul_direct against its twin: every kind, at the borders of tiles and between; and the twin's gradients.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/device/errors.ts';
import { matmulGrid, matmulParts } from '../../../src/kernels/train/matmul.ts';
import { normals } from '../../../src/numbers/random.ts';
import { matmulDirect } from '../../reference/matmulDirect.ts';
import { checkMatmul } from '../../support/matmulCase.ts';
import { everyTwo } from '../../support/pairs.ts';
import { runsOf } from '../../support/randomRuns.ts';
import { MATMUL_KINDS } from '../../support/trainKernels/matmul.ts';

const CPU = { software: true } as const;

const AXES = {
  kind: MATMUL_KINDS,
  rows: [1, 8, 9, 17],
  inputs: [4, 60, 64, 132],
  outputs: [4, 12, 64, 68],
} as const;

test('every two of kinds and sizes together', async () => {
  const cases = everyTwo(AXES);
  expect(cases.length).toBeGreaterThan(18);
  for (const { kind, ...sizes } of cases) await checkMatmul({ ...CPU, ...kind, ...sizes });
}, 120_000);

test.each([
  { form: 'weights', bias: true, rows: 100, parts: 7 },
  // The last part has no rows, and is zeros.
  { form: 'weights', bias: true, rows: 5, parts: 4 },
  // Tiles that fill two rows of a grid and a half: the last workgroup has none.
  { form: 'outputs', residual: true, rows: 33, grid: [2, 3, 1] },
] as const)('$form of $rows rows in a grid of its own', async (c) => {
  await checkMatmul({ ...CPU, ...c, inputs: 20, outputs: 12 });
});

test('any shape', async () => {
  const four = fc.integer({ min: 1, max: 20 }).map((n) => 4 * n);
  const shape = fc.record({
    kind: fc.constantFrom(...MATMUL_KINDS),
    rows: fc.integer({ min: 1, max: 40 }),
    inputs: four,
    outputs: four,
    seed: fc.integer({ min: 2, max: 1000 }),
  });
  const property = fc.asyncProperty(shape, async ({ kind, ...sizes }) => {
    await checkMatmul({ ...CPU, ...kind, ...sizes });
  });
  await fc.assert(property, { numRuns: runsOf(5), seed: 7, endOnFailure: true });
}, 120_000);

test('the same product twice has the same bits', async () => {
  const one = { ...CPU, form: 'weights', bias: true, rows: 90, inputs: 36, outputs: 20 } as const;
  expect(await checkMatmul(one)).toEqual(await checkMatmul(one));
});

describe('the twin of gradients is the slope of the twin of outputs', () => {
  // Of the loss sum(d_y * y), which is linear in x and in w: central differences are exact but for rounding.
  const sizes = { rows: 5, inputs: 8, outputs: 4 };
  const x = normals(1, sizes.rows * sizes.inputs);
  const w = normals(2, sizes.outputs * sizes.inputs);
  const dY = normals(3, sizes.rows * sizes.outputs);
  const loss = (a: readonly number[], b: readonly number[]) =>
    matmulDirect({ form: 'outputs', sizes, a, b }).reduce((sum, each, at) => sum + each * dY[at]!, 0);
  const moved = (values: Float32Array, at: number, by: number) =>
    Array.from(values, (each, i) => (i === at ? each + by : each));

  test('of inputs', () => {
    const got = matmulDirect({ form: 'inputs', sizes, a: dY, b: w });
    const slopes = Array.from(
      x,
      (_, at) => loss(moved(x, at, 0.5), [...w]) - loss(moved(x, at, -0.5), [...w]),
    );
    expect(got).toHaveLength(slopes.length);
    for (const [at, slope] of slopes.entries()) expect(got[at]).toBeCloseTo(slope, 12);
  });

  test('of weights, by parts', () => {
    const parts = matmulDirect({ form: 'weights', sizes: { ...sizes, parts: 2 }, a: dY, b: x });
    const slopes = Array.from(
      w,
      (_, at) => loss([...x], moved(w, at, 0.5)) - loss([...x], moved(w, at, -0.5)),
    );
    expect(parts).toHaveLength(2 * slopes.length);
    for (const [at, slope] of slopes.entries())
      expect(parts[at]! + parts[slopes.length + at]!).toBeCloseTo(slope, 12);
  });
});

describe('grids', () => {
  test('tiles that one dimension cannot hold go on in the next', () => {
    const grid = matmulGrid({ form: 'inputs' }, { rows: 8 * 65535 + 1, inputs: 128, outputs: 4 }, CPU);
    expect(grid).toEqual([65535, 3, 1]);
  });

  test.each([
    [{ rows: 0 }, /rows: .*got 0/],
    [{ inputs: 6 }, /inputs \/ 4: .*got 1.5/],
    [{ outputs: 0 }, /outputs \/ 4: .*got 0/],
    [{ parts: 2 }, /parts: expected 1 unless .* got 2 of outputs/],
  ])('%j are refused', (wrong, message) => {
    const sizes = { rows: 8, inputs: 8, outputs: 8, ...wrong };
    expect(() => matmulGrid({ form: 'outputs' }, sizes, CPU)).toThrow(ShapeError);
    expect(() => matmulGrid({ form: 'outputs' }, sizes, CPU)).toThrow(message);
  });

  test('parts are not added to what is there', () => {
    const sizes = { rows: 8, inputs: 8, outputs: 8, parts: 2 };
    expect(() => matmulGrid({ form: 'weights', accumulates: true }, sizes, CPU)).toThrow(/parts: expected 1/);
  });
});

test('a GPU gets parts while a matrix has few tiles and there are rows enough; a CPU gets one', () => {
  const parts = (rows: number, width: number, software: boolean) =>
    matmulParts({ rows, inputs: width, outputs: width }, { software });
  expect(parts(1536, 128, true)).toBe(1);
  expect(parts(1536, 128, false)).toBe(16);
  expect(parts(1536, 64, false)).toBe(24);
  expect(parts(1, 64, false)).toBe(1);
  expect(parts(100_000, 4096, false)).toBe(1);
});
