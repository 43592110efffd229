// modelKernels.ts: the kernels of whole models, in as few variants as have every two of a product's forms and sizes together.
import type { Kernel } from '../../src/kernels/kernel.ts';
import { gemm } from '../../src/kernels/model/gemm.ts';
import {
  ACTIVATION_NAMES,
  product,
  SUBGROUP_SIZES,
  type ProductForm,
  type ProductRows,
  type ProductVariant,
} from '../../src/kernels/model/product.ts';
import { embed, gatherRows, norm } from '../../src/kernels/model/rows.ts';
import { sample, tokenLoss } from '../../src/kernels/model/tokens.ts';
import { productVariants, tileOf } from '../../src/kernels/model/variants.ts';
import type { MatrixSizes } from '../../src/kernels/model/weightsLib.ts';
import { KV_TYPES } from '../../src/numbers/elements.ts';
import { everyTwo, type CaseOf } from './pairs.ts';

/** What a product may make of the sums of one matrix, or of two. */
export const PRODUCT_RESULTS = [
  ...(['sums', 'capped', ...ACTIVATION_NAMES] as const).map((results) => ({ results, gated: false })),
  ...ACTIVATION_NAMES.map((results) => ({ results, gated: true })),
];

const BATCHES = [1, 2, 3, 4, 5, 8, 100];

/** What a GPU is, as far as products go. */
export const GPU_KIND = {
  software: false,
  subgroups: true,
  subgroupMinSize: 32,
  subgroupMaxSize: 32,
} as const;

/** And what kinds of devices there are. */
const KINDS = [
  GPU_KIND,
  ...SUBGROUP_SIZES.map((size) => ({
    software: true,
    subgroups: true,
    subgroupMinSize: size,
    subgroupMaxSize: size,
  })),
];

/** Sizes that any device and any batch has, with the tile of each. */
const VARIANTS: readonly { readonly tile: number; readonly variant: ProductVariant }[] = [
  ...new Map(
    KINDS.flatMap((kind) =>
      BATCHES.flatMap((batch) => {
        const { one, chunk } = productVariants(kind, batch);
        const { passRows: _, ...ofOne } = one;
        return [ofOne, chunk].map((variant) => ({ tile: tileOf(kind), variant }));
      }),
    ).map((each) => [JSON.stringify(each), each]),
  ).values(),
];

const PRODUCTS = {
  type: KV_TYPES,
  norm: [undefined, 'rms', 'layer'],
  result: PRODUCT_RESULTS,
  writes: ['set', 'added', 'two'],
  bias: [false, true],
} as const;

/** Products, each in another form or size: those that need subgroups, or those that do not. */
export function productKernels(subgroups: boolean): Kernel[] {
  const sizedOnes = VARIANTS.filter(({ variant }) => (variant.subgroup !== undefined) === subgroups);
  return everyTwo({ ...PRODUCTS, fixedRows: [false, true], sized: sizedOnes }).map(
    ({ sized, fixedRows, ...each }) => {
      const { sizes, form, rows } = productOf(each, sized.tile);
      return product(sizes, { ...form, fixedRows }, sized.variant, rows);
    },
  );
}

/** Products of many rows, each in another form. */
export function gemmKernels(): Kernel[] {
  const variant = productVariants(GPU_KIND, 1).chunk.gemm!;
  return everyTwo(PRODUCTS).map((each) => {
    const { sizes, form, rows } = productOf(each, 32);
    return gemm(sizes, form, variant, rows);
  });
}

function productOf(
  { type, norm: kind, result, writes, bias }: CaseOf<typeof PRODUCTS>,
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
