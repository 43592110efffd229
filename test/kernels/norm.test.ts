// norm.test.ts: norm against its twin: rows set and added, of widths at the borders of their padding.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { norm as normKernel, normNumbers } from '../../src/kernels/model/rows.ts';
import { paddedWidth } from '../../src/kernels/model/weightsLib.ts';
import { normals } from '../../src/numbers/random.ts';
import { norm } from '../reference/norm.ts';
import { testDevice } from '../support/device.ts';
import { exactly, inverseRoot, over, plus, sumOfProducts, times } from '../support/rounding.ts';
import { runKernel, unwritten } from '../support/runKernel.ts';

const device = await testDevice();

interface Case {
  readonly width: number;
  readonly rows: number;
  readonly adds: boolean;
  readonly eps?: number;
  readonly magnitude?: number;
}

async function check({ width, rows, adds, eps = 1e-5, magnitude = 1 }: Case): Promise<void> {
  const stride = paddedWidth(width);
  // A row behind those of the dispatch is poison, and stays.
  const x = new Float32Array((rows + 1) * stride).fill(NaN, rows * stride);
  const values = Array.from({ length: rows }, (_, row) =>
    Array.from(normals(row + 1, width), (value) => Math.fround((value + 0.25) * magnitude * (row + 1))),
  );
  for (const [row, list] of values.entries()) x.set(list, row * stride);
  const gains = new Float32Array(stride);
  gains.set(normals(99, width).map((value) => 1 + value / 2));
  const before = adds ? normals(98, x.length) : unwritten(x.length);
  const { y } = await runKernel(device, {
    kernel: normKernel(stride, adds),
    grid: [rows, 1, 1],
    inputs: { x, gains, numbers: normNumbers(width, eps) },
    outputs: { y: before.slice() },
  });
  const f32Eps = Math.fround(eps);
  const truth = norm(values, gains, f32Eps, (row, i) => (adds ? before[row * stride + i]! : 0));
  const bounds = values.map((row) => {
    const squares = sumOfProducts(row.map(exactly), (i) => exactly(row[i]!));
    const scale = inverseRoot(plus(over(squares, exactly(width)), exactly(f32Eps)));
    return row.map((value, i) => times(times(exactly(value), scale), exactly(gains[i]!)).error);
  });
  const wrong: string[] = [];
  for (const [at, got] of y!.entries()) {
    const [row, i] = [Math.floor(at / stride), at % stride];
    const kept = row >= rows || (adds && i >= width);
    const want = kept ? before[at]! : (truth[row]![i] ?? 0);
    // Adding rounds once more.
    const bound = kept || i >= width ? 0 : bounds[row]![i]! + (adds ? 2 ** -24 * Math.abs(want) * 1.001 : 0);
    if (!(Math.abs(got - want) <= bound))
      wrong.push(`[${row}, ${i}]: expected ${want} within ${bound}, got ${got}`);
  }
  expect(wrong.slice(0, 5)).toEqual([]);
}

describe.each([false, true])('norm, added: %s', (adds) => {
  test.each([1, 31, 32, 33, 63, 64, 65, 127, 256, 257, 1000])('%i elements', (width) =>
    check({ width, rows: 3, adds }),
  );
  test('numbers large and small, an epsilon that counts', async () => {
    for (const magnitude of [1e-6, 1e-3, 1e6]) await check({ width: 65, rows: 2, adds, magnitude });
    await check({ width: 65, rows: 2, adds, eps: 3 });
  });
});

test('a row of zeros stays zeros', () => check({ width: 40, rows: 1, adds: false, magnitude: 0 }));

test('any shape', async () => {
  const shape = fc.record({
    width: fc.integer({ min: 1, max: 600 }),
    rows: fc.integer({ min: 1, max: 9 }),
    adds: fc.boolean(),
  });
  await fc.assert(fc.asyncProperty(shape, check), { numRuns: 20, seed: 3, endOnFailure: true });
});
