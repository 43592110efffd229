// gemm.test.ts: gemm against its twin: every type, norm, activation and way of writing, by pairs and at the borders of tiles.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { productVariants } from '../../src/kernels/model/variants.ts';
import { KV_TYPES } from '../../src/numbers/elements.ts';
import { GPU_KIND, PRODUCT_RESULTS } from '../support/modelKernels.ts';
import { everyTwo } from '../support/pairs.ts';
import { checkProduct, CONTROL, type ProductCase } from '../support/productCase.ts';
import { PRODUCT_SHAPE } from '../support/productShapes.ts';
import { runsOf } from '../support/randomRuns.ts';

/** What GPUs get. */
const GPU = { gemm: productVariants(GPU_KIND, 1).chunk.gemm!, tile: 32 };

/** Small tiles, which software adapters compile soon: 4 rows by 16 outputs, and 2 rows by 8. */
const TILES = [
  { gemm: { rows: 2, columns: 2, rowLanes: 2 }, tile: 32 },
  { gemm: { rows: 1, columns: 1, rowLanes: 2 }, tile: 64 },
] as const;

/** Each of the ways to make results of sums. */
const SOME_RESULTS = PRODUCT_RESULTS.filter(
  ({ results, gated }) => ['sums', 'capped', 'silu'].includes(results) && gated === (results === 'silu'),
);

const AXES = {
  type: KV_TYPES,
  norm: [undefined, 'rms', 'layer'],
  result: SOME_RESULTS,
  writes: ['set', 'added', 'two'],
  bias: [false, true],
  tiles: TILES,
  rows: [1, 3, 4, 5],
  width: [1, 65],
  outputs: [1, 33],
  tilesOfPart: [1, 4],
  spare: [0, 5],
  scale: [1, 0.375],
} as const;

const CASES = everyTwo(AXES).map(({ result, tiles, ...rest }): ProductCase => ({
  ...CONTROL,
  ...rest,
  ...result,
  ...tiles,
}));

describe('gemm, every two of its sizes and forms together', () => {
  test.each(KV_TYPES)(
    '%s',
    async (type) => {
      const own = CASES.filter((one) => one.type === type);
      expect(own.length).toBeGreaterThan(2);
      for (const each of own) await checkProduct(each);
    },
    300_000,
  );
});

test.each([
  { type: 'f32', rows: 31, norm: 'layer', bias: true, magnitude: 100 },
  { type: 'f16', rows: 32, norm: 'rms', results: 'silu', gated: true },
  { type: 'int8', rows: 33, writes: 'added' },
  { type: 'int4', rows: 65, norm: 'rms', writes: 'two', magnitude: 1e-4 },
] as const)(
  '$type: as many inputs as models have, in the tiles of GPUs',
  async (form) => {
    await checkProduct({ ...CONTROL, ...GPU, ...form, width: 1000, outputs: 40 });
  },
  300_000,
);

test('any shape', async () => {
  const shape = fc.record({
    ...PRODUCT_SHAPE,
    result: fc.constantFrom(...SOME_RESULTS),
    tiles: fc.constantFrom(...TILES),
    rows: fc.integer({ min: 1, max: 9 }),
  });
  const property = fc.asyncProperty(shape, ({ result, tiles, ...rest }) =>
    checkProduct({ ...CONTROL, ...rest, ...result, ...tiles }),
  );
  await fc.assert(property, { numRuns: runsOf(3), seed: 7, endOnFailure: true });
}, 300_000);
