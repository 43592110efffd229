// normRows.test.ts: norm_rows against its twin, for CPUs and for GPUs: widths and rows at the borders of workgroups, numbers large and small.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  normRows as normRowsKernel,
  normRowsGrid,
  normRowsNumbers,
} from '../../../src/kernels/train/rows.ts';
import type { Grid } from '../../../src/kernels/kernel.ts';
import { normRows, rowStats } from '../../reference/normRows.ts';
import { testDevice } from '../../support/device.ts';
import { everyCase } from '../../support/pairs.ts';
import {
  exactly,
  inverseRoot,
  minus,
  over,
  plus,
  sumOfProducts,
  times,
  type Rounded,
} from '../../support/rounding.ts';
import { outOfBounds, poisoned, randomRows, withSpareRow } from '../../support/rowsOf.ts';
import { runKernel } from '../../support/runKernel.ts';

const device = await testDevice();

interface Case {
  readonly norm: 'rms' | 'layer';
  readonly bias: boolean;
  readonly software: boolean;
  readonly rows: number;
  readonly width: number;
  readonly eps?: number;
  readonly spread?: number;
  readonly shift?: number;
  readonly grid?: Grid;
}

async function check({ rows, width, eps = 1e-5, spread = 1, shift = 0.25, ...kind }: Case): Promise<void> {
  const x = randomRows(rows + width, rows, width, { spread, shift: shift * spread });
  const [gains] = randomRows(1, 1, width, { spread: 0.5, shift: 1 });
  const [bias] = randomRows(2, 1, width);
  const { y, stats } = await runKernel(device, {
    kernel: normRowsKernel(kind, kind),
    grid: kind.grid ?? normRowsGrid(rows, kind),
    inputs: {
      x: poisoned(x),
      gains: Float32Array.from(gains!),
      ...(kind.bias && { bias: Float32Array.from(bias!) }),
      numbers: normRowsNumbers({ rows, width, eps }),
    },
    outputs: { y: withSpareRow(rows, width), stats: withSpareRow(rows, 2) },
  });
  const form = { norm: kind.norm, eps: Math.fround(eps) };
  const bounds = x.map((row) => bounded(row, form));
  const truth = normRows(x, gains!, kind.bias ? bias : undefined, form);
  const boundOf = (row: number, i: number) => {
    const { centred, scale } = bounds[row]!;
    const result = times(times(centred[i]!, scale), exactly(gains![i]!));
    return (kind.bias ? plus(result, exactly(bias![i]!)) : result).error;
  };
  expect(outOfBounds(y!, truth, boundOf)).toEqual([]);
  const statBound = (row: number, i: number) => [bounds[row]!.mean, bounds[row]!.scale][i]!.error;
  expect(outOfBounds(stats!, rowStats(x, form), statBound)).toEqual([]);
}

/** A row's numbers by the kernel's operations. */
function bounded(row: readonly number[], { norm, eps }: { norm: 'rms' | 'layer'; eps: number }) {
  const x = row.map(exactly);
  const width = exactly(row.length);
  const sum = sumOfProducts(x, () => exactly(1));
  const mean: Rounded = norm === 'layer' ? over(sum, width) : exactly(0);
  const centred = norm === 'layer' ? x.map((each) => minus(each, mean)) : x;
  const squares = sumOfProducts(centred, (i) => centred[i]!);
  return { mean, centred, scale: inverseRoot(plus(over(squares, width), exactly(eps))) };
}

const KINDS = everyCase({ norm: ['rms', 'layer'], bias: [false, true], software: [false, true] });

describe.each(KINDS)('norm_rows: $norm, bias: $bias, for a CPU: $software', (kind) => {
  test.each([4, 8, 60, 64, 124, 128, 132, 256, 1000])('%i elements', (width) =>
    check({ ...kind, rows: 3, width }),
  );

  test.each([1, 2, 7, 8, 9, 17])('%i rows', (rows) => check({ ...kind, rows, width: 36 }));

  test('numbers large and small, an epsilon that counts, means far from zero', async () => {
    for (const spread of [1e-6, 1e-3, 1e6]) await check({ ...kind, rows: 2, width: 64, spread });
    await check({ ...kind, rows: 2, width: 64, eps: 3 });
    await check({ ...kind, rows: 2, width: 64, shift: 30 });
  });

  test('rows of zeros', () => check({ ...kind, rows: 2, width: 8, spread: 0 }));

  test('a grid that is folded, with workgroups to spare', () =>
    check({ ...kind, rows: 29, width: 12, grid: kind.software ? [2, 3, 1] : [4, 5, 1] }));
});

test('any shape', async () => {
  const shape = fc.record({
    norm: fc.constantFrom('rms', 'layer'),
    bias: fc.boolean(),
    software: fc.boolean(),
    width: fc.integer({ min: 1, max: 100 }).map((fours) => 4 * fours),
    rows: fc.integer({ min: 1, max: 40 }),
  });
  await fc.assert(fc.asyncProperty(shape, check), { numRuns: 10, seed: 3, endOnFailure: true });
});
