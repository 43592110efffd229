// product.test.ts: product against its twin: every type, norm, activation and way of writing, by pairs and at the borders of sizes.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KV_TYPES } from '../../src/numbers/elements.ts';
import { ACTIVATIONS, erf } from '../../src/models/reference/activations.ts';
import { PRODUCT_RESULTS } from '../support/modelKernels.ts';
import { everyTwo } from '../support/pairs.ts';
import { checkProduct, CONTROL, type ProductCase } from '../support/productCase.ts';
import { PRODUCT_SHAPE } from '../support/productShapes.ts';
import { runsOf } from '../support/randomRuns.ts';

const SIZES = [1, 33, 127];

/** Rows of a group, parts of the inputs, outputs of a tile and of an invocation: what devices get, and what is between. */
const GROUPS = (
  [
    [1, 8, 32, 1],
    [4, 4, 32, 1],
    [2, 2, 64, 2],
    [1, 1, 32, 4, true],
    [4, 1, 32, 4, true],
  ] as const
).map(([rowsOfGroup, slices, tile, columns, together = false]) => ({
  rowsOfGroup,
  slices,
  tile,
  columns,
  together,
}));

/** Each of the ways to make results of sums; every activation goes through all of its range below. */
const SOME_RESULTS = PRODUCT_RESULTS.filter(
  ({ results, gated }) =>
    !['relu', 'gelu_tanh'].includes(results) && gated === ['silu', 'gelu_erf'].includes(results),
);

const AXES = {
  type: KV_TYPES,
  norm: [undefined, 'rms', 'layer'],
  result: SOME_RESULTS,
  writes: ['set', 'added', 'two'],
  bias: [false, true],
  group: GROUPS,
  rows: [1, 3, 5, 11],
  width: SIZES,
  outputs: SIZES,
  tilesOfPart: [1, 2, 4],
  spare: [0, 5],
  scale: [1, 0.375],
  fixedRows: [false, true],
} as const;

const CASES = everyTwo(AXES).map(({ result, group, ...rest }): ProductCase => ({
  ...rest,
  ...result,
  ...group,
}));

describe('product, every two of its sizes and forms together', () => {
  test('they are few, and none of two together is missing', () => {
    expect(CASES.length).toBeLessThan(60);
    const all = everyTwo(AXES);
    for (const [a, ofA] of Object.entries(AXES)) {
      for (const [b, ofB] of Object.entries(AXES).filter(([name]) => name > a)) {
        const together = new Set(
          all.map((each) => {
            const of = each as Record<string, unknown>;
            return JSON.stringify([of[a], of[b]]);
          }),
        );
        expect(together.size, `${a}, ${b}`).toBe(ofA.length * ofB.length);
      }
    }
  });
  test.each(KV_TYPES)(
    '%s',
    async (type) => {
      for (const each of CASES.filter((one) => one.type === type)) await checkProduct(each);
    },
    300_000,
  );
});

describe.each(KV_TYPES)('product of %s', (type) => {
  const large = { ...CONTROL, type, width: 1000, outputs: 40, norm: 'rms' } as const;

  test('as many inputs as models have', () =>
    type === 'f32' || type === 'int8'
      ? checkProduct({ ...large, rows: 1, rowsOfGroup: 1, slices: 8 })
      : checkProduct({ ...large, rows: 5, rowsOfGroup: 4, columns: 4, together: true }));

  // In the most memory of a workgroup that a device gets.
  test.runIf(type === 'f16' || type === 'int4')('as many, in many rows', () =>
    checkProduct({ ...large, rows: 9, rowsOfGroup: 4, results: 'silu', gated: true, slices: 4 }),
  );

  // bf16 has the range of f32, and int8 the scales of int4.
  test.runIf(type !== 'bf16' && type !== 'int8')('numbers large and small', async () => {
    for (const magnitude of [1e-4, 100])
      await checkProduct({ ...CONTROL, type, norm: 'layer', bias: true, magnitude });
  });
});

test('capped results come close to the cap, and activations to their ends', async () => {
  for (const { results, gated } of PRODUCT_RESULTS) {
    if (results !== 'relu_squared' && results !== 'sums')
      await checkProduct({ ...CONTROL, results, gated, magnitude: 8, softcap: 2 });
  }
});

test('any shape', async () => {
  const shape = fc.record({
    ...PRODUCT_SHAPE,
    result: fc.constantFrom(...PRODUCT_RESULTS),
    group: fc.constantFrom(...GROUPS),
    rows: fc.integer({ min: 1, max: 19 }),
  });
  const property = fc.asyncProperty(shape, ({ result, group, ...rest }) =>
    checkProduct({ ...rest, ...result, ...group }),
  );
  await fc.assert(property, { numRuns: runsOf(5), seed: 7, endOnFailure: true });
});

describe('the twin', () => {
  // Abramowitz and Stegun, table 7.1, and torch's values of GELU and SiLU.
  test('erf and activations are those of tables', () => {
    expect([0, 0.5, 1, 2, -1].map(erf)).toEqual(
      [0, 0.5204998778, 0.8427007929, 0.995322265, -0.8427007929].map((x) => expect.closeTo(x, 9)),
    );
    expect(ACTIVATIONS.gelu_erf(1)).toBeCloseTo(0.8413447461, 9);
    expect(ACTIVATIONS.gelu_tanh(1)).toBeCloseTo(0.8411919906, 9);
    expect(ACTIVATIONS.silu(1)).toBeCloseTo(0.7310585786, 9);
    expect([ACTIVATIONS.relu_squared(-3), ACTIVATIONS.relu_squared(3), ACTIVATIONS.relu(-3)]).toEqual([
      0, 9, 0,
    ]);
  });
});
