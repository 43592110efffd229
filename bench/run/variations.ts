// variations.ts: what a row has beyond the standard step: pages, a window, features, a prompt; their names and numbers.
import { ShapeError } from '../../src/index.ts';
import type { ProblemFeatures } from '../../src/reference/problemFeatures.ts';
import { normals } from '../../src/numbers/random.ts';
import { BENCH_FEATURES, type BenchFeature } from '../schema/benchFeatures.ts';
import type { RowParams } from '../schema/schema.ts';

export type Variation = Pick<RowParams, 'pageSize' | 'window' | 'features' | 'sharedPrefix' | 'cascade'>;

/** Lists that multiply out; 0 and an empty list of features are the standard step. */
export interface VariationOptions {
  readonly pageSizes?: readonly number[];
  readonly windows?: readonly number[];
  readonly features?: readonly (readonly BenchFeature[])[];
  /** Each but 0 is two rows: the plain step and the cascade on the same contents. They need pages, by default of 16 tokens. */
  readonly sharedPrefixes?: readonly number[];
}

const SHARED_PAGE = 16;

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

/** All combinations, the standard step first. Throws ShapeError for a shared prefix without pages, or with windows or features. */
export function variationsOf({
  sharedPrefixes = [0],
  pageSizes = [0],
  windows = [0],
  features = [[]],
}: VariationOptions): Variation[] {
  const plain = pageSizes.flatMap((pageSize) =>
    windows.flatMap((window) =>
      features.map((names) => ({
        ...(pageSize > 0 && { pageSize }),
        ...(window > 0 && { window }),
        ...(names.length > 0 && { features: [...names] }),
      })),
    ),
  );
  return sharedPrefixes.flatMap((prefix) =>
    prefix === 0 ? plain : plain.flatMap((each) => sharing(each, prefix)),
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

/** Whether a row is of another step than the standard one. */
export function isVaried({ pageSize, window, features, sharedPrefix }: Variation): boolean {
  return (
    sharedPrefix !== undefined || pageSize !== undefined || window !== undefined || features !== undefined
  );
}

/** As part of a row's id: `_page16_w1024_softcap`. */
export function variationId({ pageSize, window, features, sharedPrefix, cascade }: Variation): string {
  return [
    pageSize === undefined ? '' : `_page${pageSize}`,
    window === undefined ? '' : `_w${window}`,
    sharedPrefix === undefined ? '' : `_prefix${sharedPrefix}`,
    cascade ? '_cascade' : '',
    ...(features ?? []).map((name) => `_${name}`),
  ].join('');
}

/** In words: `, pages of 16, window 1024, softcap`. */
export function variationText({ pageSize, window, features, sharedPrefix, cascade }: Variation): string {
  return [
    pageSize === undefined ? '' : `, pages of ${pageSize}`,
    window === undefined ? '' : `, window ${window}`,
    sharedPrefix === undefined ? '' : `, shared prefix ${sharedPrefix}`,
    cascade ? ', cascade' : '',
    ...(features ?? []).map((name) => `, ${name}`),
  ].join('');
}

/** The numbers of a row's features; a bias is [1, 1, Lq, T], the same for all heads. */
export function featureNumbers(
  {
    window,
    features = [],
    heads,
    depth,
    prompt = 1,
  }: Variation & Pick<RowParams, 'heads' | 'depth' | 'prompt'>,
  seed: number,
): ProblemFeatures {
  const has = (name: BenchFeature) => features.includes(name);
  return {
    ...(window !== undefined && { window }),
    ...(has('softcap') && { softcap: 50 }),
    ...(has('sink-logits') && { sinkLogits: Array.from(normals(seed + 3, heads)) }),
    ...(has('alibi') && {
      alibiSlopes: Array.from({ length: heads }, (_, h) => 2 ** ((-8 * (h + 1)) / heads)),
    }),
    ...(has('bias') && {
      bias: { shape: [1, 1, prompt, depth] as const, values: normals(seed + 4, prompt * depth) },
    }),
  };
}
