// normGains.test.ts: norm_gains against its twin, and the twin against central differences of the norm.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  normGains as normGainsKernel,
  normGainsGrid,
  normGainsNumbers,
  partsOf,
} from '../../../src/kernels/train/rows.ts';
import { partRows } from '../../reference/columnSums.ts';
import { normGains } from '../../reference/normGains.ts';
import { normRows, rowStats, type RowStats } from '../../reference/normRows.ts';
import { testDevice } from '../../support/device.ts';
import { differences, inner } from '../../support/differences.ts';
import { everyCase } from '../../support/pairs.ts';
import { exactly, minus, sumOfProducts, times } from '../../support/rounding.ts';
import { outOfBounds, poisoned, randomRows, withSpareRow } from '../../support/rowsOf.ts';
import { runKernel } from '../../support/runKernel.ts';

const device = await testDevice();

interface Case {
  readonly software: boolean;
  readonly rows: number;
  readonly width: number;
  readonly parts?: number;
}

async function check({ rows, width, parts = 1, software }: Case): Promise<void> {
  const x = randomRows(rows + width, rows, width, { shift: 0.25 });
  const dY = randomRows(rows + width + 1, rows, width);
  // Those of a LayerNorm, as f32 holds them; an RMSNorm's are the same with a mean of 0.
  const stats = rowStats(x, { norm: 'layer', eps: 1e-5 }).map((each): RowStats => [
    Math.fround(each[0]),
    Math.fround(each[1]),
  ]);
  const { d_gains } = await runKernel(device, {
    kernel: normGainsKernel({ software }),
    grid: normGainsGrid({ width, parts }, { software }),
    inputs: {
      x: poisoned(x),
      d_y: poisoned(dY),
      stats: Float32Array.from([...stats.flat(), NaN, NaN]),
      numbers: normGainsNumbers({ rows, width, parts }),
    },
    outputs: { d_gains: withSpareRow(parts, width) },
  });
  const boundOf = (part: number, i: number) => {
    const [first, end] = partRows(rows, parts, part);
    const normalised = x
      .slice(first, end)
      .map((row, r) =>
        times(minus(exactly(row[i]!), exactly(stats[first + r]![0])), exactly(stats[first + r]![1])),
      );
    return sumOfProducts(normalised, (r) => exactly(dY[first + r]![i]!)).error;
  };
  expect(outOfBounds(d_gains!, normGains(x, dY, stats, parts), boundOf)).toEqual([]);
}

describe.each([{ software: true }, { software: false }])('norm_gains, for a CPU: $software', (facts) => {
  test.each([4, 28, 32, 36, 252, 256, 260])('%i elements', (width) =>
    check({ ...facts, rows: 5, width, parts: 2 }),
  );

  test.each([
    [1, 1],
    [7, 1],
    [16, 4],
    [17, 4],
    [3, 5],
    [100, 7],
  ])('%i rows in %i parts', (rows, parts) => check({ ...facts, rows, width: 8, parts }));

  test('as many parts as are asked for', () =>
    check({ ...facts, rows: 100, width: 8, parts: partsOf(100, facts) }));
});

test('any shape', async () => {
  const shape = fc.record({
    software: fc.boolean(),
    width: fc.integer({ min: 1, max: 80 }).map((fours) => 4 * fours),
    rows: fc.integer({ min: 1, max: 60 }),
    parts: fc.integer({ min: 1, max: 9 }),
  });
  await fc.assert(fc.asyncProperty(shape, check), { numRuns: 10, seed: 5, endOnFailure: true });
});

test.each(everyCase({ norm: ['rms', 'layer'], parts: [1, 3] }))(
  'the twin is the gradient of the gains: $norm, in $parts parts',
  ({ norm, parts }) => {
    const x = randomRows(1, 5, 12, { shift: 0.5 });
    const dY = randomRows(2, 5, 12);
    const form = { norm, eps: 1e-5 };
    const [expected] = differences(randomRows(3, 1, 12), ([gains]) =>
      inner(normRows(x, gains!, undefined, form), dY),
    );
    const got = normGains(x, dY, rowStats(x, form), parts);
    const sums = expected!.map((_, i) => got.reduce((sum, part) => sum + part[i]!, 0));
    expect(outOfBounds(sums, [expected!], () => 1e-8)).toEqual([]);
  },
);

test('parts of rows: one on a CPU, on a GPU so many that each has sixteen, at most 128', () => {
  expect([1, 5000].map((rows) => partsOf(rows, { software: true }))).toEqual([1, 1]);
  expect([0, 1, 16, 17, 2048, 1e6].map((rows) => partsOf(rows, { software: false }))).toEqual([
    1, 1, 1, 2, 128, 128,
  ]);
});
