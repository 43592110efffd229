// activate.test.ts: activate against its twin: every activation, gated or not, for numbers small, large and huge.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Grid } from '../../../src/kernels/kernel.ts';
import { ACTIVATION_NAMES } from '../../../src/kernels/model/product.ts';
import {
  activate as activateKernel,
  activateGrid,
  activateNumbers,
  type ActivateKind,
} from '../../../src/kernels/train/rows.ts';
import { activate } from '../../reference/activate.ts';
import { testDevice } from '../../support/device.ts';
import { everyCase } from '../../support/pairs.ts';
import { BOUNDED } from '../../support/productBound.ts';
import { exactly, times } from '../../support/rounding.ts';
import { outOfBounds, poisoned, randomRows, withSpareRow } from '../../support/rowsOf.ts';
import { runKernel } from '../../support/runKernel.ts';

const device = await testDevice();

/** Numbers below it may be flushed to 0. */
const LEAST = 2 ** -126;

async function check(kind: ActivateKind, x: number[][], grid?: Grid): Promise<void> {
  const rows = x.length;
  const width = x[0]!.length / (kind.gated ? 2 : 1);
  const { y } = await runKernel(device, {
    kernel: activateKernel(kind),
    grid: grid ?? activateGrid(rows, width),
    inputs: { gate_up: poisoned(x), numbers: activateNumbers({ rows, width }) },
    outputs: { y: withSpareRow(rows, width) },
  });
  const boundOf = (row: number, i: number) => {
    const own = BOUNDED[kind.activation](exactly(x[row]![i]!));
    return LEAST + (kind.gated ? times(own, exactly(x[row]![width + i]!)) : own).error;
  };
  expect(outOfBounds(y!, activate(x, kind), boundOf)).toEqual([]);
}

const KINDS = everyCase({ activation: ACTIVATION_NAMES, gated: [false, true] });

describe.each(KINDS)('activate: $activation, gated: $gated', (kind) => {
  test.each([
    [1, 4],
    [3, 60],
    [2, 252],
    [2, 256],
    [5, 260],
  ])('%i rows of %i', (rows, width) =>
    check(kind, randomRows(rows + width, rows, kind.gated ? 2 * width : width, { spread: 3 })),
  );

  test('numbers small, large and huge', () => {
    const list = [0, 1e-30, 1e-6, 0.5, 1, 3, 5.5, 8.1, 20, 60, 88, 100, 1e4, 1e8, 1e9, 1e10];
    const signed = [...list, ...list.map((x) => -x)].map(Math.fround);
    return check(kind, [kind.gated ? [...signed, ...list.map(() => -2), ...list.map(() => 0.75)] : signed]);
  });

  test('a grid that is folded, with workgroups to spare', () =>
    check(kind, randomRows(3, 21, kind.gated ? 24 : 12), [1, 6, 4]));
});

test('any shape', async () => {
  const shape = fc.record({
    kind: fc.constantFrom(...KINDS),
    fours: fc.integer({ min: 1, max: 40 }),
    rows: fc.integer({ min: 1, max: 20 }),
  });
  const property = fc.asyncProperty(shape, ({ kind, fours, rows }) =>
    check(kind, randomRows(rows + fours, rows, (kind.gated ? 8 : 4) * fours)),
  );
  await fc.assert(property, { numRuns: 10, seed: 8, endOnFailure: true });
});
