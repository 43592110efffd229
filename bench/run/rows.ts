// rows.ts: from a benchmark's options to its rows: which shapes are compared.
import { typesName } from '../../src/numbers/elements.ts';
import { checkShape, type KernelChoice, type KvType, ShapeError } from '../../src/index.ts';
import { pagesOf } from '../../src/cache/pagePool.ts';
import { DECODE_KERNELS } from '../../src/decode/planContext.ts';
import { kvLensOf, parseRequests } from './requests.ts';
import type { RowParams } from '../schema/schema.ts';
import {
  positionsOf,
  variationId,
  variationsOf,
  variationText,
  type Variation,
  type VariationOptions,
} from './variations.ts';

/** Lists multiply out. */
export interface RowOptions extends VariationOptions {
  readonly model: string;
  readonly heads: number;
  readonly kvHeads: readonly number[];
  readonly headDim: number;
  readonly depths: readonly number[];
  /** Allocated cache length, if not the depth. */
  readonly capacity?: number;
  readonly batches: readonly number[];
  /** Batches of unequal requests (requests.ts), instead of batches and depths. */
  readonly requests?: readonly string[];
  /** Positions of prompts, each batch at once, beside the depths of decode steps. */
  readonly prompts?: readonly number[];
  readonly caches: readonly RowParams['cache'][];
  readonly kTypes: readonly KvType[];
  readonly vTypes: readonly KvType[];
  readonly kernels: readonly KernelChoice[];
}

/** Whether caches are read in turn, or one again and again. */
export const CACHE_STATES: readonly RowParams['cache'][] = ['cold', 'hot'];

/** KV heads that show the spectrum for a model: all, as it has them, one; a model without groups also gets 8, as in the paper. */
export function spectrum(heads: number, kvHeads: number): number[] {
  const grouped = kvHeads === heads || kvHeads === 1;
  const middle = grouped && heads > 8 && heads % 8 === 0 ? [8] : [];
  return [...new Set([heads, kvHeads, ...middle, 1])].toSorted((a, b) => b - a);
}

/** All rows, those to be interleaved with each other (same depth and batch) in one group. Throws ShapeError. */
export function rowGroups(options: RowOptions): RowParams[][] {
  for (const kernel of options.kernels) {
    if (kernel !== 'auto' && !DECODE_KERNELS.includes(kernel)) {
      throw new ShapeError(`bench: kernel must be one of auto, ${DECODE_KERNELS.join(', ')}, got ${kernel}`);
    }
  }
  const loads = options.requests
    ? options.requests.map(loadOf)
    : options.batches.flatMap((batch) => [
        ...(options.prompts ?? []).map((prompt) => ({ batch, depth: prompt, prompt })),
        ...options.depths.map((depth) => ({ batch, depth })),
      ]);
  return withoutDoubles(loads.map((load) => rowsAt(options, load)));
}

/** A value that a list has twice gives no second row of the same name. */
function withoutDoubles(groups: readonly RowParams[][]): RowParams[][] {
  const seen = new Set<string>();
  const single = groups.map((group) => group.filter((row) => seen.size < seen.add(rowId(row)).size));
  return single.filter((group) => group.length > 0);
}

type Load = Pick<RowParams, 'batch' | 'depth' | 'requests' | 'prompt'>;

function loadOf(requests: string): Load {
  const lens = parseRequests(requests);
  return { batch: lens.length, depth: Math.max(1, ...lens), requests };
}

function rowsAt(options: RowOptions, load: Load): RowParams[] {
  const { model, heads, headDim, capacity = load.depth } = options;
  if (load.depth > capacity) {
    throw new ShapeError(`bench: depth: expected at most the capacity of ${capacity}, got ${load.depth}`);
  }
  const rows: RowParams[] = [];
  const add = (kvHeads: number, kType: KvType, vType: KvType) => {
    const shape = { batch: load.batch, numQHeads: heads, numKvHeads: kvHeads, headDim };
    checkShape({ ...shape, qLen: load.prompt ?? 1 });
    for (const variation of variationsOf(options)) {
      checkSharing(options.heads, load, variation);
      checkOwnTokens(load, variation);
      for (const kernel of options.kernels) {
        for (const cache of options.caches) {
          const types = { kType, vType };
          rows.push({
            model,
            heads,
            kvHeads,
            headDim,
            ...load,
            capacity,
            ...types,
            ...variation,
            cache,
            kernel,
          });
        }
      }
    }
  };
  for (const { kType, vType } of typePairs(options.kTypes, options.vTypes)) {
    for (const kvHeads of options.kvHeads) add(kvHeads, kType, vType);
  }
  return rows;
}

/** States are bound in halves of a buffer, which begin at a multiple of so many rows' sums. */
const STATE_ROWS = 64;

/** Throws ShapeError for sequences that cannot share such a prefix. */
function checkSharing(
  heads: number,
  { batch, depth, requests, prompt }: Load,
  { sharedPrefix }: Variation,
): void {
  if (sharedPrefix === undefined) return;
  const where = 'bench: shared prefix';
  if (prompt !== undefined) throw new ShapeError(`${where}: expected decode steps, got a prompt`);
  if (batch < 2) throw new ShapeError(`${where}: expected a batch of 2 sequences or more, got ${batch}`);
  if ((batch * heads) % STATE_ROWS !== 0) {
    throw new ShapeError(
      `${where}: expected batch * heads to be a multiple of ${STATE_ROWS}, got ${batch} * ${heads}`,
    );
  }
  const shortest = requests === undefined ? depth : Math.min(...parseRequests(requests));
  if (sharedPrefix < shortest) return;
  throw new ShapeError(
    `${where}: expected fewer tokens than the ${shortest} of a sequence, got ${sharedPrefix}`,
  );
}

/** Throws ShapeError for sequences that have no tokens for such a step, or none that can be appended again and again. */
function checkOwnTokens(load: Load, variation: Variation): void {
  const { positions, append, pageSize } = variation;
  if (positions === undefined && !append) return;
  const where = 'bench: features';
  if (positions !== undefined && load.prompt !== undefined) {
    throw new ShapeError(`${where}: expected decode steps for a tree, got a prompt`);
  }
  const own = positionsOf({ ...load, ...variation });
  const shortest = Math.min(...kvLensOf(load));
  if (shortest < own) {
    throw new ShapeError(
      `${where}: expected sequences of at least the ${own} tokens of a step, got one of ${shortest}`,
    );
  }
  if (!append || pageSize === undefined) return;
  // An append that is taken back would give up pages, which plans name.
  const bad = kvLensOf(load).find((kvLen) => pagesOf(kvLen - own, pageSize) !== pagesOf(kvLen, pageSize));
  if (bad === undefined) return;
  throw new ShapeError(
    `${where}: rope and qk-norm: expected the ${own} last tokens of a sequence to begin no page of ${pageSize}, got ${bad} tokens`,
  );
}

/**
 * Types of K and V together: V as K where it has no list; every type of a list with the one of the other; two lists of
 * several types are pairs. Those of different lengths are a ShapeError.
 */
export function typePairs(
  kTypes: readonly KvType[],
  vTypes: readonly KvType[] = kTypes,
): { kType: KvType; vType: KvType }[] {
  const [k, v] = [kTypes.length, vTypes.length];
  if (k > 1 && v > 1 && k !== v) {
    throw new ShapeError(
      `cache types: expected a list for V of 1 or ${k} types, as many as for K, got ${v}: they are pairs`,
    );
  }
  return Array.from({ length: Math.max(k, v) }, (_, i) => ({
    kType: kTypes[k === 1 ? 0 : i]!,
    vType: vTypes[v === 1 ? 0 : i]!,
  }));
}

/** What a row measures, apart from the shape: `attn @ d4096`, `attn @ 8q1s4k`, `prefill @ p512, window 128`. */
export function testName(params: Pick<RowParams, 'depth' | 'requests' | 'prompt'> & Variation): string {
  return `${params.prompt === undefined ? 'attn' : 'prefill'} @ ${loadName(params)}${variationText(params)}`;
}

/** `d4096`, `8q1s4k`, or of a prompt `p512`. */
export function loadName({
  depth,
  requests,
  prompt,
}: Pick<RowParams, 'depth' | 'requests' | 'prompt'>): string {
  return prompt === undefined ? (requests ?? `d${depth}`) : `p${prompt}`;
}

/** `mha`, `gqa` or `mqa`. */
export function variantName({ heads, kvHeads }: Pick<RowParams, 'heads' | 'kvHeads'>): string {
  if (kvHeads === heads) return 'mha';
  return kvHeads === 1 ? 'mqa' : 'gqa';
}

/** The row's name: the shape's, and the kernel's where it is not the usual one. */
export function rowId(p: RowParams): string {
  return `${shapeName(p)}${p.kernel === 'auto' ? '' : `_${p.kernel}`}`;
}

/** A shape's name in the field's manner: h32_kv8_d128_t4096_f16, with a batch or mixed types where there are any. */
export function shapeName(p: Omit<RowParams, 'model' | 'kernel'>): string {
  const types = typesName(p, (k, v) => `k${k}_v${v}`);
  const batch = p.batch > 1 ? `_b${p.batch}` : '';
  const tokens = p.prompt === undefined ? `t${p.depth}` : `pp${p.prompt}`;
  const load = p.requests === undefined ? `${batch}_${tokens}` : `_${p.requests}`;
  const hot = p.cache === 'hot' ? '_hot' : '';
  const capacity = p.capacity !== p.depth ? `_c${p.capacity}` : '';
  return `h${p.heads}_kv${p.kvHeads}_d${p.headDim}${load}${capacity}_${types}${variationId(p)}${hot}`;
}
