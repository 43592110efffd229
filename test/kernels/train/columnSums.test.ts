// columnSums.test.ts: column_sums against its twin: widths at the borders of workgroups, rows that parts do not divide.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  columnSums as columnSumsKernel,
  columnSumsGrid,
  columnSumsNumbers,
} from '../../../src/kernels/train/rows.ts';
import { columnSums, partRows } from '../../reference/columnSums.ts';
import { testDevice } from '../../support/device.ts';
import { exactly, sumOfProducts } from '../../support/rounding.ts';
import { outOfBounds, poisoned, randomRows, withSpareRow } from '../../support/rowsOf.ts';
import { runKernel } from '../../support/runKernel.ts';

const device = await testDevice();

interface Case {
  readonly software: boolean;
  readonly rows: number;
  readonly width: number;
  readonly parts: number;
  /** Columns in front of the ones that are summed, and behind them. */
  readonly before?: number;
  readonly behind?: number;
}

async function check({ rows, width, parts, software, before = 0, behind = 0 }: Case): Promise<void> {
  const dY = randomRows(rows + width, rows, width, { shift: 0.1 });
  const poison = (count: number) => Array.from({ length: count }, () => NaN);
  const stored = dY.map((row) => [...poison(before), ...row, ...poison(behind)]);
  const stride = before + width + behind;
  const { sums } = await runKernel(device, {
    kernel: columnSumsKernel({ software }),
    grid: columnSumsGrid({ width, parts }, { software }),
    inputs: {
      d_y: poisoned(stored),
      numbers: columnSumsNumbers({ rows, width, parts, stride, first: before }),
    },
    outputs: { sums: withSpareRow(parts, width) },
  });
  const boundOf = (part: number, i: number) => {
    const own = dY.slice(...partRows(rows, parts, part)).map((row) => exactly(row[i]!));
    return sumOfProducts(own, () => exactly(1)).error;
  };
  expect(outOfBounds(sums!, columnSums(dY, parts), boundOf)).toEqual([]);
}

describe.each([{ software: true }, { software: false }])('column_sums, for a CPU: $software', (facts) => {
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
});

test('any shape', async () => {
  const shape = fc.record({
    software: fc.boolean(),
    width: fc.integer({ min: 1, max: 80 }).map((fours) => 4 * fours),
    rows: fc.integer({ min: 1, max: 60 }),
    parts: fc.integer({ min: 1, max: 9 }),
    before: fc.constantFrom(0, 4, 64),
    behind: fc.constantFrom(0, 4, 36),
  });
  await fc.assert(fc.asyncProperty(shape, check), { numRuns: 10, seed: 6, endOnFailure: true });
});

test('the twin: rows that parts do not divide, and a part without any', () => {
  expect(
    columnSums(
      [
        [1, 10],
        [2, 20],
        [3, 30],
      ],
      2,
    ),
  ).toEqual([
    [3, 30],
    [3, 30],
  ]);
  expect(columnSums([[1], [2], [3], [4], [5]], 4)).toEqual([[3], [7], [5], [0]]);
});
