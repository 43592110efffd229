// turnBack.test.ts: turn_back against its twin, and the twin against central differences of the turn that append takes.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Grid } from '../../../src/kernels/kernel.ts';
import {
  turnBack as turnBackKernel,
  turnBackGrid,
  turnBackNumbers,
} from '../../../src/kernels/train/rows.ts';
import {
  ROPE_LOW,
  ROPE_STYLES,
  ropeFrequencies,
  ropeTable,
  type RopeScaling,
  type RopeStyle,
} from '../../../src/numbers/rope.ts';
import { turned } from '../../reference/rope.ts';
import { turnBack } from '../../reference/turnBack.ts';
import { testDevice } from '../../support/device.ts';
import { differences, inner } from '../../support/differences.ts';
import { everyCase } from '../../support/pairs.ts';
import { outOfBounds, poisoned, randomRows } from '../../support/rowsOf.ts';
import { runKernel } from '../../support/runKernel.ts';

const device = await testDevice();

const YARN: RopeScaling = { type: 'yarn', factor: 4, originalContext: 32 };

interface Case {
  readonly style: RopeStyle;
  readonly headDim: number;
  readonly rotaryDim: number;
  /** Heads that are turned, and those behind them. */
  readonly heads: number;
  readonly others: number;
  readonly rows: number;
  readonly length: number;
  readonly scaling?: RopeScaling;
  readonly grid?: Grid;
}

async function check({
  style,
  headDim,
  rotaryDim,
  heads,
  others,
  rows,
  length,
  ...more
}: Case): Promise<void> {
  const { scaling, grid = turnBackGrid(rows, rotaryDim) } = more;
  const stride = (heads + others) * headDim;
  const gradients = randomRows(rows + stride, rows, stride);
  const format = { headDim, rotaryDim, style, ...(scaling && { scaling }) };
  const turns = ropeFrequencies(format, length);
  const before = poisoned(gradients);
  const { d_qkv } = await runKernel(device, {
    kernel: turnBackKernel({ headDim, rotaryDim, style }),
    grid,
    inputs: { turns: ropeTable(turns, length), numbers: turnBackNumbers({ rows, length, heads, stride }) },
    outputs: { d_qkv: before.slice() },
  });
  const truth = gradients.map((row, m) =>
    Array.from({ length: heads + others }, (_, head) => {
      const own = row.slice(head * headDim, (head + 1) * headDim);
      return head < heads ? turnBack(own, style, turns, m % length) : own;
    }).flat(),
  );
  expect(d_qkv!.slice(rows * stride).every(Number.isNaN), 'a row behind').toBe(true);
  expect(
    outOfBounds(d_qkv!.slice(0, rows * stride), truth, (row, i) => {
      if (i >= heads * headDim || i % headDim >= rotaryDim) return 0;
      const first = i - (i % headDim);
      const largest = Math.max(...gradients[row]!.slice(first, first + headDim).map(Math.abs));
      // Of each of two products: 2.5e-7 of the turn, and three roundings.
      return 2 * turns.attentionFactor * largest * (2.5e-7 + 3 * 2 ** -24);
    }),
  ).toEqual([]);
}

describe.each(ROPE_STYLES)('turn_back, pairs: %s', (style) => {
  test.each([
    [8, 8],
    [16, 2],
    [64, 64],
    [80, 32],
    [96, 18],
    [256, 256],
  ])('%i elements, %i of them turned', (headDim, rotaryDim) =>
    check({ style, headDim, rotaryDim, heads: 3, others: 1, rows: 10, length: 5 }),
  );

  test.each([
    [1, 1],
    [7, 7],
    [8, 4],
    [27, 9],
  ])('%i rows of texts of %i', (rows, length) =>
    check({ style, headDim: 8, rotaryDim: 8, heads: 2, others: 2, rows, length }),
  );

  test('positions beyond the finer table', () =>
    check({
      style,
      headDim: 8,
      rotaryDim: 8,
      heads: 1,
      others: 0,
      rows: 2 * ROPE_LOW + 5,
      length: 2 * ROPE_LOW + 3,
    }));

  test('a table with a factor', () =>
    check({ style, headDim: 16, rotaryDim: 16, heads: 2, others: 1, rows: 12, length: 12, scaling: YARN }));

  test('a grid that is folded, with workgroups to spare', () =>
    check({ style, headDim: 8, rotaryDim: 4, heads: 2, others: 1, rows: 41, length: 6, grid: [1, 2, 4] }));

  test('any shape', async () => {
    const shape = fc
      .record({
        pairs: fc.integer({ min: 1, max: 20 }),
        rest: fc.integer({ min: 0, max: 5 }),
        heads: fc.integer({ min: 1, max: 5 }),
        others: fc.integer({ min: 0, max: 3 }),
        rows: fc.integer({ min: 1, max: 20 }),
        length: fc.integer({ min: 1, max: 20 }),
      })
      .map(({ pairs, rest, ...more }) => ({
        ...more,
        style,
        rotaryDim: 2 * pairs,
        headDim: 2 * pairs + rest,
      }));
    await fc.assert(fc.asyncProperty(shape, check), { numRuns: 8, seed: 10, endOnFailure: true });
  });
});

test.each(everyCase({ style: ROPE_STYLES, scaling: [undefined, YARN] }))(
  'the twin is the gradient of the turn: $style, $scaling.type',
  ({ style, scaling }) => {
    const turns = ropeFrequencies({ headDim: 12, rotaryDim: 8, style, ...(scaling && { scaling }) });
    const x = randomRows(1, 3, 12);
    const dY = randomRows(2, 3, 12);
    const forward = (row: readonly number[], m: number) =>
      turned(row, style, turns.frequencies, turns.attentionFactor, 5 * m);
    const expected = differences(x, (rows) => inner(rows.map(forward), dY));
    const got = dY.map((row, m) => turnBack(row, style, turns, 5 * m));
    expect(outOfBounds(got.flat(), expected, () => 1e-8)).toEqual([]);
  },
);
