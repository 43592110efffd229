// activateBack.test.ts: activate_back against its twin, and the twin against central differences of the activations.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Grid } from '../../../src/kernels/kernel.ts';
import { ACTIVATION_NAMES, type Activation } from '../../../src/kernels/model/product.ts';
import {
  activateBack as activateBackKernel,
  activateBackGrid,
  activateBackNumbers,
  type ActivateKind,
} from '../../../src/kernels/train/rows.ts';
import { activate } from '../../reference/activate.ts';
import { activateBack } from '../../reference/activateBack.ts';
import { testDevice } from '../../support/device.ts';
import { differences, inner } from '../../support/differences.ts';
import { everyCase } from '../../support/pairs.ts';
import { BOUNDED, constant, erfOf } from '../../support/productBound.ts';
import { exactly, expOf, minus, over, plus, times, type Rounded } from '../../support/rounding.ts';
import { outOfBounds, poisoned, randomRows, withSpareRow } from '../../support/rowsOf.ts';
import { runKernel } from '../../support/runKernel.ts';

const device = await testDevice();

/** What numbers below f32's normal ones, and slopes that are nothing beyond where they are computed, may be wrong by. */
const LEAST = 1e-15;

async function check(kind: ActivateKind, x: number[][], dY: number[][], grid?: Grid): Promise<void> {
  const rows = x.length;
  const width = dY[0]!.length;
  const { d_gate_up } = await runKernel(device, {
    kernel: activateBackKernel(kind),
    grid: grid ?? activateBackGrid(rows, width),
    inputs: {
      gate_up: poisoned(x),
      d_y: poisoned(dY),
      numbers: activateBackNumbers({ rows, width }),
    },
    outputs: { d_gate_up: withSpareRow(rows, x[0]!.length) },
  });
  const boundOf = (row: number, i: number) => {
    const d = exactly(dY[row]![i % width]!);
    const gate = exactly(x[row]![i % width]!);
    if (i >= width) return LEAST + times(d, BOUNDED[kind.activation](gate)).error;
    const slope = SLOPES[kind.activation](gate);
    const behind = kind.gated ? times(d, exactly(x[row]![width + i]!)) : d;
    return LEAST * (1 + Math.abs(behind.value)) + times(behind, slope).error;
  };
  expect(outOfBounds(d_gate_up!, activateBack(x, dY, kind), boundOf)).toEqual([]);
}

const ONE = exactly(1);

/** Slopes by the operations of their libs. */
const SLOPES: Readonly<Record<Activation, (x: Rounded) => Rounded>> = {
  relu: ({ value }) => exactly(value > 0 ? 1 : 0),
  relu_squared: ({ value }) => exactly(2 * Math.max(0, value)),
  silu: ({ value }) => {
    const c = exactly(Math.max(value, -80));
    const e = expOf(minus(exactly(0), c));
    const s = over(ONE, plus(ONE, e));
    return times(s, plus(ONE, times(c, times(e, s))));
  },
  gelu_tanh: ({ value }) => {
    const c = exactly(Math.max(-8, Math.min(value, 8)));
    const square = times(c, c);
    const u = times(constant(Math.sqrt(2 / Math.PI)), plus(c, times(times(constant(0.044715), c), square)));
    const e = expOf(times(exactly(-2), u));
    const s = over(ONE, plus(ONE, e));
    const rise = times(
      constant(2 * Math.sqrt(2 / Math.PI)),
      plus(ONE, times(times(constant(0.134145), c), c)),
    );
    return plus(s, times(times(times(c, rise), s), times(e, s)));
  },
  gelu_erf: ({ value }) => {
    const c = exactly(Math.max(-13, Math.min(value, 13)));
    const normal = times(exactly(0.5), plus(ONE, erfOf(times(c, constant(Math.SQRT1_2)))));
    const falls = expOf(times(times(exactly(-0.5), c), c));
    return plus(normal, times(times(c, constant(1 / Math.sqrt(2 * Math.PI))), falls));
  },
};

const KINDS = everyCase({ activation: ACTIVATION_NAMES, gated: [false, true] });

const rowsOf = ({ gated }: ActivateKind, rows: number, width: number) =>
  [
    randomRows(rows + width, rows, gated ? 2 * width : width, { spread: 3 }),
    randomRows(rows + width + 1, rows, width),
  ] as const;

describe.each(KINDS)('activate_back: $activation, gated: $gated', (kind) => {
  test.each([
    [1, 4],
    [3, 60],
    [2, 252],
    [2, 256],
    [5, 260],
  ])('%i rows of %i', (rows, width) => check(kind, ...rowsOf(kind, rows, width)));

  test('numbers small, large and huge', () => {
    const list = [0, 1e-30, 1e-6, 0.5, 1, 3, 5.5, 7.9, 8.1, 20, 60, 88, 100, 1e4, 1e8, 1e10];
    const signed = [...list, ...list.map((x) => -x)].map(Math.fround);
    const ups = signed.map((x) => (x > 0 ? -2 : 0.75));
    return check(kind, [kind.gated ? [...signed, ...ups] : signed], [signed.map(() => 1.5)]);
  });

  test('a grid that is folded, with workgroups to spare', () =>
    check(kind, ...rowsOf(kind, 21, 12), [1, 6, 4]));

  test('the twin is the gradient of the activation', () => {
    const [x, dY] = rowsOf(kind, 4, 40);
    const expected = differences(x, (rows) => inner(activate(rows, kind), dY));
    expect(outOfBounds(activateBack(x, dY, kind).flat(), expected, () => 1e-7)).toEqual([]);
  });
});

test('no slope is lost to overflow', async () => {
  const ends = [3e38, -3e38, 1e20, -1e20].map(Math.fround);
  for (const activation of ACTIVATION_NAMES) {
    if (activation !== 'relu_squared') await check({ activation, gated: false }, [ends], [[1, 1, 1, 1]]);
  }
});

test('any shape', async () => {
  const shape = fc.record({
    kind: fc.constantFrom(...KINDS),
    fours: fc.integer({ min: 1, max: 40 }),
    rows: fc.integer({ min: 1, max: 20 }),
  });
  const property = fc.asyncProperty(shape, ({ kind, fours, rows }) =>
    check(kind, ...rowsOf(kind, rows, 4 * fours)),
  );
  await fc.assert(property, { numRuns: 10, seed: 9, endOnFailure: true });
});
