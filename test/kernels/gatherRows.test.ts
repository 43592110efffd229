// gatherRows.test.ts: gather_rows against its twin: which rows go where, and that nothing else changes.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { modelStepWords, setModelStep } from '../../src/kernels/model/modelStep.ts';
import { gatherGrid, gatherRows as gatherRowsKernel } from '../../src/kernels/model/rows.ts';
import { normals } from '../../src/numbers/random.ts';
import { gatherRows } from '../reference/gatherRows.ts';
import { testDevice } from '../support/device.ts';
import { runKernel, unwritten } from '../support/runKernel.ts';

const device = await testDevice();

interface Wanted {
  readonly width: number;
  readonly rows: number;
  readonly places: number;
  readonly from: readonly number[];
  readonly to: readonly number[];
}

async function check({ width, rows, places, from, to }: Wanted): Promise<void> {
  // Rows that nobody wants are poison.
  const x = normals(3, rows * width);
  for (let row = 0; row < rows; row++) if (!from.includes(row)) x.fill(NaN, row * width, (row + 1) * width);
  const step = new Uint32Array(modelStepWords(2 * from.length));
  setModelStep(step, [...from, ...to], 2 * from.length);
  // The count is that of the rows, though there are as many places behind them.
  step[0] = from.length;
  const { y } = await runKernel(device, {
    kernel: gatherRowsKernel(width),
    grid: gatherGrid(width, from.length),
    inputs: { x },
    outputs: { y: unwritten(places * width) },
    step,
  });
  const expected = Array.from(unwritten(places * width));
  gatherRows(x, width, { from, to }, expected);
  expect(Array.from(y!)).toEqual(expected);
}

test.each([4, 64, 252, 256, 260, 1024])('rows of %i elements, in another order', (width) =>
  check({ width, rows: 5, places: 6, from: [4, 0, 2], to: [1, 5, 0] }),
);

test('one row to several places', () =>
  check({ width: 64, rows: 3, places: 4, from: [1, 1, 1], to: [0, 3, 2] }));

test('any rows', async () => {
  const shape = fc
    .record({
      rows: fc.integer({ min: 1, max: 40 }),
      places: fc.integer({ min: 1, max: 40 }),
      fours: fc.integer({ min: 1, max: 80 }),
    })
    .chain(({ rows, places, fours }) =>
      fc.record({
        width: fc.constant(4 * fours),
        rows: fc.constant(rows),
        places: fc.constant(places),
        to: fc.uniqueArray(fc.nat(places - 1), { minLength: 1 }),
        all: fc.array(fc.nat(rows - 1), { minLength: 40, maxLength: 40 }),
      }),
    );
  const property = fc.asyncProperty(shape, ({ all, ...rest }) =>
    check({ ...rest, from: all.slice(0, rest.to.length) }),
  );
  await fc.assert(property, { numRuns: 20, seed: 5, endOnFailure: true });
});
