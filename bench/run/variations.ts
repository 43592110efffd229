// variations.ts: what a row has beyond the standard step: pages, a window, features, an append, several positions; their names and numbers.
import { ShapeError } from '../../src/index.ts';
import type { ProblemFeatures } from '../../src/reference/problemFeatures.ts';
import { normals } from '../../src/numbers/random.ts';
import { BENCH_FEATURES, type BenchFeature } from '../schema/benchFeatures.ts';
import type { RowParams } from '../schema/schema.ts';

export type Variation = Pick<
  RowParams,
  'pageSize' | 'window' | 'positions' | 'append' | 'features' | 'sharedPrefix' | 'cascade'
>;

/** Lists that multiply out; 0 and an empty list of features are the standard step. */
export interface VariationOptions {
  readonly pageSizes?: readonly number[];
  readonly windows?: readonly number[];
  /** A tree, RoPE and QK-norm come behind the step that they are part of: of several positions, or with an append. */
  readonly features?: readonly (readonly BenchFeature[])[];
  /** Each but 0 is two rows: the plain step and the cascade on the same contents. They need pages, by default of 16 tokens. */
  readonly sharedPrefixes?: readonly number[];
}

const SHARED_PAGE = 16;

/** Of a step with a tree, and of the one without that it is compared with. */
export const TREE_POSITIONS = 4;

/** Features of the dispatch that appends. */
const APPENDED: readonly BenchFeature[] = ['rope', 'qk-norm'];

/** Reads `none,softcap,alibi+bias`: variants of features, those of one joined by +. Throws ShapeError. */
export function parseFeatures(text: string): BenchFeature[][] {
  return text.split(',').map((variant) => {
    if (variant === 'none') return [];
    const names = variant.split('+');
    const known = BENCH_FEATURES.filter((name) => names.includes(name));
    if (known.length === names.length) return known;
    const bad = names.find((name) => !BENCH_FEATURES.includes(name as BenchFeature)) ?? names.at(-1);
    throw new ShapeError(
      `features: expected none, or some of ${BENCH_FEATURES.join(', ')}, each once, joined by +; got "${bad}"`,
    );
  });
}

/** All combinations, the standard step first. Throws ShapeError for those that do not go together. */
export function variationsOf({
  sharedPrefixes = [0],
  pageSizes = [0],
  windows = [0],
  features = [[]],
}: VariationOptions): Variation[] {
  const plain = pageSizes.flatMap((pageSize) =>
    windows.flatMap((window) =>
      features.flatMap((names) =>
        featured({ ...(pageSize > 0 && { pageSize }), ...(window > 0 && { window }) }, names),
      ),
    ),
  );
  return sharedPrefixes.flatMap((prefix) =>
    prefix === 0 ? plain : plain.flatMap((each) => sharing(each, prefix)),
  );
}

/** A step with features; the same without them is before it where that is not the standard one. */
function featured(places: Variation, names: readonly BenchFeature[]): Variation[] {
  if (names.includes('tree')) checkTree(places, names);
  const step = {
    ...(names.includes('tree') && { positions: TREE_POSITIONS }),
    ...(names.some((name) => APPENDED.includes(name)) && { append: true }),
  };
  const without = { ...places, ...step };
  if (names.length === 0) return [without];
  const row = { ...without, features: [...names] };
  return Object.keys(step).length > 0 ? [without, row] : [row];
}

function checkTree({ window }: Variation, names: readonly BenchFeature[]): void {
  const bad = names.find((name) => name === 'alibi' || name === 'rope') ?? (window && 'a window');
  if (!bad) return;
  throw new ShapeError(
    `bench: features: expected a tree without a window, alibi and rope, got ${bad}: a tree's slots are not positions`,
  );
}

/** The plain step and the cascade. */
function sharing({ pageSize = SHARED_PAGE, window, features }: Variation, sharedPrefix: number): Variation[] {
  if (window !== undefined || features !== undefined) {
    throw new ShapeError('bench: shared prefix: expected neither a window nor features beside it');
  }
  return [
    { pageSize, sharedPrefix },
    { pageSize, sharedPrefix, cascade: true },
  ];
}

/** Whether a row has pages, a window, features or a shared prefix. */
export function isFeatured({ pageSize, window, features, sharedPrefix }: Variation): boolean {
  return (
    sharedPrefix !== undefined || pageSize !== undefined || window !== undefined || features !== undefined
  );
}

/** Whether a row is of another step than the standard one. */
export function isVaried(variation: Variation): boolean {
  return isFeatured(variation) || variation.positions !== undefined || variation.append !== undefined;
}

/** As part of a row's id: `_page16_w1024_softcap`. */
export function variationId(variation: Variation): string {
  const { pageSize, window, positions, append, features, sharedPrefix, cascade } = variation;
  return [
    pageSize === undefined ? '' : `_page${pageSize}`,
    window === undefined ? '' : `_w${window}`,
    positions === undefined ? '' : `_q${positions}`,
    append ? '_append' : '',
    sharedPrefix === undefined ? '' : `_prefix${sharedPrefix}`,
    cascade ? '_cascade' : '',
    ...(features ?? []).map((name) => `_${name}`),
  ].join('');
}

/** In words: `, pages of 16, window 1024, softcap`. */
export function variationText(variation: Variation): string {
  const { pageSize, window, positions, append, features, sharedPrefix, cascade } = variation;
  return [
    pageSize === undefined ? '' : `, pages of ${pageSize}`,
    window === undefined ? '' : `, window ${window}`,
    positions === undefined ? '' : `, ${positions} positions`,
    append ? ', append' : '',
    sharedPrefix === undefined ? '' : `, shared prefix ${sharedPrefix}`,
    cascade ? ', cascade' : '',
    ...(features ?? []).map((name) => `, ${name}`),
  ].join('');
}

/** Query positions of each sequence. */
export function positionsOf({ prompt, positions = 1 }: Pick<RowParams, 'prompt' | 'positions'>): number {
  return prompt ?? positions;
}

/** The numbers of a row's features; a bias is [1, 1, Lq, T], the same for all heads. Those of an append are in appendInputs.ts. */
export function featureNumbers(
  params: Variation & Pick<RowParams, 'heads' | 'batch' | 'depth' | 'prompt'>,
  seed: number,
): ProblemFeatures {
  const { window, features = [], heads, batch, depth } = params;
  const qLen = positionsOf(params);
  const has = (name: BenchFeature) => features.includes(name);
  return {
    ...(window !== undefined && { window }),
    ...(has('softcap') && { softcap: 50 }),
    ...(has('sink-logits') && { sinkLogits: Array.from(normals(seed + 3, heads)) }),
    ...(has('alibi') && {
      alibiSlopes: Array.from({ length: heads }, (_, h) => 2 ** ((-8 * (h + 1)) / heads)),
    }),
    ...(has('bias') && {
      bias: { shape: [1, 1, qLen, depth] as const, values: normals(seed + 4, qLen * depth) },
    }),
    ...(has('tree') && { treeMasks: Array.from({ length: batch }, () => treeMasks(qLen)) }),
  };
}

/** Each position sees itself and those above it in a binary tree: bits of the step's own keys. */
function treeMasks(positions: number): bigint[] {
  const masks: bigint[] = [];
  for (let i = 0; i < positions; i++) {
    const parent = (i - 1) >> 1;
    masks.push((1n << BigInt(i)) | (masks[parent] ?? 0n));
  }
  return masks;
}
