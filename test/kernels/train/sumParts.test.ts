// sumParts.test.ts: sum_parts against its twin, and grids of more workgroups than a dimension may have.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { foldedGrid, foldedRows } from '../../../src/kernels/train/grid.ts';
import type { Grid } from '../../../src/kernels/kernel.ts';
import {
  sumParts as sumPartsKernel,
  sumPartsGrid,
  sumPartsNumbers,
} from '../../../src/kernels/train/rows.ts';
import { sumParts } from '../../reference/sumParts.ts';
import { testDevice } from '../../support/device.ts';
import { exactly, sumOfProducts } from '../../support/rounding.ts';
import { outOfBounds, poisoned, randomRows, withSpareRow } from '../../support/rowsOf.ts';
import { runKernel } from '../../support/runKernel.ts';

const device = await testDevice();

interface Case {
  readonly parts: number;
  readonly count: number;
  readonly grid?: Grid;
}

async function check({ parts: numParts, count, grid = sumPartsGrid(count) }: Case): Promise<void> {
  const parts = randomRows(numParts + count, numParts, count, { shift: 0.1 });
  const { sum } = await runKernel(device, {
    kernel: sumPartsKernel(),
    grid,
    inputs: { parts: poisoned(parts), numbers: sumPartsNumbers({ parts: numParts, count }) },
    outputs: { sum: withSpareRow(1, count) },
  });
  const boundOf = (_: number, i: number) =>
    sumOfProducts(
      parts.map((part) => exactly(part[i]!)),
      () => exactly(1),
    ).error;
  expect(outOfBounds(sum!, [sumParts(parts)], boundOf)).toEqual([]);
}

describe('sum_parts', () => {
  test.each([4, 252, 256, 260, 5000])('%i elements', (count) => check({ parts: 3, count }));

  test.each([1, 2, 128])('%i parts', (parts) => check({ parts, count: 40 }));

  test('a grid that is folded, with workgroups to spare', () =>
    check({ parts: 2, count: 1500, grid: [2, 4, 1] }));

  test('any shape', async () => {
    const shape = fc.record({
      parts: fc.integer({ min: 1, max: 20 }),
      count: fc.integer({ min: 1, max: 300 }).map((fours) => 4 * fours),
    });
    await fc.assert(fc.asyncProperty(shape, check), { numRuns: 10, seed: 7, endOnFailure: true });
  });
});

describe('folded grids', () => {
  test('are lines as long as a dimension may be', () => {
    expect([1, 65535].map(foldedGrid)).toEqual([
      [1, 1, 1],
      [65535, 1, 1],
    ]);
  });

  test.each([65536, 131071, 1e6, 65535 * 65535])('have %i workgroups in few more', (workgroups) => {
    const [x, y, z] = foldedGrid(workgroups);
    expect([Math.max(x, y) <= 65535, z]).toEqual([true, 1]);
    expect(x * y).toBeGreaterThanOrEqual(workgroups);
    expect(x * y - workgroups).toBeLessThan(y);
  });

  test('of rows keep their columns', () => {
    expect(foldedRows(3, 65535)).toEqual([3, 65535, 1]);
    expect(foldedRows(3, 65536)).toEqual([3, 32768, 2]);
  });
});
