// productShapes.ts: products of any type, form and size, for property tests of the kernels that multiply.
import fc from 'fast-check';
import { KV_TYPES } from '../../src/numbers/elements.ts';

const size = fc.integer({ min: 1, max: 140 });

/** What a random product has, whichever kernel computes it: fields of `ProductCase`. */
export const PRODUCT_SHAPE = {
  type: fc.constantFrom(...KV_TYPES),
  norm: fc.constantFrom(undefined, 'rms', 'layer'),
  writes: fc.constantFrom('set', 'added', 'two'),
  bias: fc.boolean(),
  width: size,
  outputs: size,
  tilesOfPart: fc.integer({ min: 1, max: 5 }),
  spare: fc.integer({ min: 0, max: 9 }),
  seed: fc.nat(1000),
} as const;
