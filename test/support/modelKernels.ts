// modelKernels.ts: the kernels of whole models, in as few variants as have every two of a product's forms and sizes together.
import type { Kernel } from '../../src/kernels/kernel.ts';
import { gemm } from '../../src/kernels/model/gemm.ts';
import {
  ACTIVATION_NAMES,
  product,
  type ProductForm,
  type ProductRows,
  type ProductVariant,
} from '../../src/kernels/model/product.ts';
import { embed, gatherRows, norm } from '../../src/kernels/model/rows.ts';
import { sample, tokenLoss } from '../../src/kernels/model/tokens.ts';
import { productVariants } from '../../src/kernels/model/variants.ts';
import type { MatrixSizes } from '../../src/kernels/model/weightsLib.ts';
import { KV_TYPES } from '../../src/numbers/elements.ts';
import { everyTwo, type CaseOf } from './pairs.ts';

/** What a product may make of the sums of one matrix, or of two. */
export const PRODUCT_RESULTS = [
  ...(['sums', 'capped', ...ACTIVATION_NAMES] as const).map((results) => ({ results, gated: false })),
  ...ACTIVATION_NAMES.map((results) => ({ results, gated: true })),
];

const BATCHES = [1, 2, 3, 4, 5, 8, 100];

/** Sizes that any device and any batch has. */
const VARIANTS: readonly ProductVariant[] = [
  ...new Map(
    [true, false]
      .flatMap((software) => BATCHES.map((batch) => productVariants({ software }, batch)))
      .flatMap(({ one, chunk }) => [one, chunk])
      .map((variant) => [`${variant.rows} ${variant.columns} ${variant.slices}`, variant]),
  ).values(),
];

const PRODUCTS = {
  type: KV_TYPES,
  norm: [undefined, 'rms', 'layer'],
  result: PRODUCT_RESULTS,
  writes: ['set', 'added', 'two'],
  bias: [false, true],
  variant: VARIANTS,
} as const;

/** Products, each in another form or size. */
export function productKernels(): Kernel[] {
  return everyTwo(PRODUCTS).map(({ variant, ...each }) => {
    const { sizes, form, rows } = productOf(each, variant.alone ? 64 : 32);
    return product(sizes, form, variant, rows);
  });
}

const { variant: _, ...FORMS } = PRODUCTS;

/** Products of many rows, each in another form. */
export function gemmKernels(): Kernel[] {
  const variant = productVariants({ software: false }, 1).chunk.gemm!;
  return everyTwo(FORMS).map((each) => {
    const { sizes, form, rows } = productOf(each, 32);
    return gemm(sizes, form, variant, rows);
  });
}

function productOf(
  { type, norm: kind, result, writes, bias }: CaseOf<typeof FORMS>,
  tile: number,
): { sizes: MatrixSizes; form: ProductForm; rows: ProductRows } {
  return {
    sizes: { type, inputs: 128, outputs: 100, matrices: result.gated ? 2 : 1, tile },
    form: { ...(kind && { norm: kind }), bias, results: result.results, writes },
    rows: {
      inputStride: 128,
      stride: writes === 'two' ? 40 : 128,
      ...(writes === 'two' && { others: 88 }),
    },
  };
}

/** The kernels beside the products. */
export function rowKernels(): Kernel[] {
  return [
    ...KV_TYPES.flatMap((type) =>
      [true, false].map((learned) => embed({ type, inputs: 128, tile: 32 }, learned)),
    ),
    ...[true, false].map((adds) => norm(128, adds)),
    gatherRows(128),
    ...[1, 1000].flatMap((vocab) => {
      const logits = { vocab, stride: Math.ceil(vocab / 32) * 32 };
      return [16, 256].flatMap((count) => [
        sample(logits, 4, true, count),
        sample(logits, 4, false, count),
        tokenLoss(logits, count),
      ]);
    }),
  ];
}
