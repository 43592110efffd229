// normInputs.test.ts: norm_inputs against its twin, and the twin against central differences of the norm.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Grid } from '../../../src/kernels/kernel.ts';
import {
  normInputs as normInputsKernel,
  normInputsGrid,
  normInputsNumbers,
} from '../../../src/kernels/train/rows.ts';
import { normInputs } from '../../reference/normInputs.ts';
import { normRows, rowStats, type RowStats } from '../../reference/normRows.ts';
import { testDevice } from '../../support/device.ts';
import { differences, inner } from '../../support/differences.ts';
import { everyCase } from '../../support/pairs.ts';
import { exactly, minus, over, plus, sumOfProducts, times } from '../../support/rounding.ts';
import { outOfBounds, poisoned, randomRows, withSpareRow } from '../../support/rowsOf.ts';
import { runKernel } from '../../support/runKernel.ts';

const device = await testDevice();

interface Case {
  readonly norm: 'rms' | 'layer';
  readonly adds: boolean;
  readonly software: boolean;
  readonly rows: number;
  readonly width: number;
  readonly spread?: number;
  readonly grid?: Grid;
}

async function check({ rows, width, spread = 1, ...kind }: Case): Promise<void> {
  const x = randomRows(rows + width, rows, width, { spread, shift: spread / 4 });
  const dY = randomRows(rows + width + 1, rows, width, { spread: 0.01, shift: 0.001 });
  const [gains] = randomRows(1, 1, width, { spread: 0.5, shift: 1 });
  const before = kind.adds ? randomRows(2, rows, width) : undefined;
  // As f32 holds them: what norm_rows makes of a row is its own test's business.
  const stats = rowStats(x, { norm: kind.norm, eps: 1e-5 }).map((each): RowStats => [
    Math.fround(each[0]),
    Math.fround(each[1]),
  ]);
  const { d_x } = await runKernel(device, {
    kernel: normInputsKernel(kind, kind),
    grid: kind.grid ?? normInputsGrid(rows, kind),
    inputs: {
      x: poisoned(x),
      gains: Float32Array.from(gains!),
      d_y: poisoned(dY),
      stats: Float32Array.from(stats.flat()),
      numbers: normInputsNumbers({ rows, width }),
    },
    outputs: { d_x: withSpareRow(rows, width, before) },
  });
  const bounds = x.map((row, r) => bounded(row, gains!, dY[r]!, stats[r]!, kind.norm));
  const truth = normInputs(x, gains!, dY, stats, kind.norm).map((row, r) =>
    row.map((d, i) => d + (before?.[r]![i] ?? 0)),
  );
  const boundOf = (row: number, i: number) => {
    const own = bounds[row]![i]!;
    return (before ? plus(exactly(before[row]![i]!), own) : own).error;
  };
  expect(outOfBounds(d_x!, truth, boundOf)).toEqual([]);
}

/** A row's gradient by the kernel's operations. */
function bounded(
  row: readonly number[],
  gains: readonly number[],
  dY: readonly number[],
  [mean, scale]: RowStats,
  norm: 'rms' | 'layer',
) {
  const normalised = row.map((x) => times(minus(exactly(x), exactly(mean)), exactly(scale)));
  const gradients = dY.map((d, i) => times(exactly(d), exactly(gains[i]!)));
  const width = exactly(row.length);
  const sum = sumOfProducts(gradients, () => exactly(1));
  const shift = norm === 'layer' ? over(sum, width) : exactly(0);
  const along = over(
    sumOfProducts(gradients, (i) => normalised[i]!),
    width,
  );
  return gradients.map((each, i) =>
    times(minus(minus(each, shift), times(normalised[i]!, along)), exactly(scale)),
  );
}

const KINDS = everyCase({ norm: ['rms', 'layer'], adds: [false, true], software: [false, true] });

describe.each(KINDS)('norm_inputs: $norm, added: $adds, for a CPU: $software', (kind) => {
  test.each([4, 8, 60, 64, 124, 128, 132, 1000])('%i elements', (width) =>
    check({ ...kind, rows: 3, width }),
  );

  test.each([1, 2, 7, 8, 9, 17])('%i rows', (rows) => check({ ...kind, rows, width: 36 }));

  test('numbers large and small', async () => {
    for (const spread of [1e-3, 1e6]) await check({ ...kind, rows: 2, width: 64, spread });
  });

  test('a grid that is folded, with workgroups to spare', () =>
    check({ ...kind, rows: 29, width: 12, grid: kind.software ? [2, 3, 1] : [4, 5, 1] }));
});

test('any shape', async () => {
  const shape = fc.record({
    norm: fc.constantFrom('rms', 'layer'),
    adds: fc.boolean(),
    software: fc.boolean(),
    width: fc.integer({ min: 1, max: 100 }).map((fours) => 4 * fours),
    rows: fc.integer({ min: 1, max: 40 }),
  });
  await fc.assert(fc.asyncProperty(shape, check), { numRuns: 10, seed: 4, endOnFailure: true });
});

test.each(everyCase({ norm: ['rms', 'layer'], eps: [1e-5, 0.5], width: [4, 12] }))(
  'the twin is the gradient of the norm: $norm, eps $eps, $width elements',
  ({ norm, eps, width }) => {
    const x = randomRows(1, 3, width, { shift: 0.5 });
    const dY = randomRows(2, 3, width);
    const [gains, bias] = randomRows(3, 2, width, { shift: 1 });
    const form = { norm, eps };
    const expected = differences(x, (rows) => inner(normRows(rows, gains!, bias, form), dY));
    const got = normInputs(x, gains!, dY, rowStats(x, form), norm);
    expect(outOfBounds(got.flat(), expected, () => 1e-8)).toEqual([]);
  },
);
