// appendArgs.ts: what an append is given: buffers of new tokens for a layer, checked against the cache.
import { checkRange, checkWritten, type BufferArg, type BufferRange } from '../device/buffers.ts';
import { LimitExceededError, ShapeError } from '../device/errors.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { checkOptions, checkWhole, type Known } from '../device/options.ts';
import { appendGrid, type AppendHeads, type SourcePlaces } from '../kernels/appendKv.ts';
import {
  exactBytes,
  rowPlaces,
  rowsEnd,
  rowTypeBytes,
  type RowPlaces,
  type RowsOptions,
} from '../kernels/rowPlaces.ts';
import type { Grid } from '../kernels/kernel.ts';
import type { BoundRows } from './boundAppend.ts';
import type { CacheLayer } from './layers.ts';
import type { CacheLayout } from './layout.ts';
import { checkTurns, TURN_ARGS, type CheckedTurns, type TurnArgs } from './turnArgs.ts';

/** Rows of new tokens for one layer, by default dense and f32. */
export interface AppendArgs extends TurnArgs {
  /** Layer of the cache, from 0. Default 0; in a list, the place in it. */
  readonly layer?: number;
  /**
   * New rows of K: exactly as many bytes as dense rows take, [B, Hkv, numTokens, D], and for packed rows and strides as many as an
   * append reaches.
   */
  readonly k: BufferArg;
  /** New rows of V, of Dv elements; it may be the buffer of k. */
  readonly v: BufferArg;
  /** How rows of k are stored: heads are the Hkv KV heads, positions the new tokens. Default f32 [B, Hkv, numTokens, D]. */
  readonly kRows?: RowsOptions;
  /** How rows of v are stored. Default f32 [B, Hkv, numTokens, Dv]. */
  readonly vRows?: RowsOptions;
  /** Rows of each head, the most tokens that a sequence can take of them: 1 to the capacity, in a layer with a ring to its chunk. Default 1. */
  readonly numTokens?: number;
}

const APPEND_ARGS = {
  layer: true,
  k: true,
  v: true,
  kRows: true,
  vRows: true,
  numTokens: true,
  ...TURN_ARGS,
} satisfies Known<AppendArgs>;

/** New rows that fit a layer, with the buffers by the names of the kernel. */
export interface CheckedRows {
  readonly layer: number;
  readonly numTokens: number;
  readonly heads: AppendHeads;
  readonly grid: Grid;
  readonly ranges: Readonly<Record<'k' | 'v', BufferRange>> & CheckedTurns['ranges'];
  readonly places: SourcePlaces;
  readonly turns: CheckedTurns;
}

interface Cache {
  readonly device: GqaDevice;
  readonly layout: CacheLayout;
  readonly layers: readonly CacheLayer[];
  assertUsable(): void;
}

/** Throws ShapeError, LimitExceededError, ForeignDeviceError and DestroyedError, with `where` in front, for what cannot be appended. */
export function checkAppend(
  where: string,
  cache: Cache,
  args: AppendArgs,
  defaultLayer: number,
): CheckedRows {
  checkOptions(where, args, APPEND_ARGS);
  const { layer = defaultLayer, numTokens = 1 } = args;
  cache.assertUsable();
  const { batch, capacity, layers, perLayer } = cache.layout;
  checkWhole(`${where}: layer`, layer, 0, layers - 1);
  const { numKvHeads, headDim, vHeadDim, ring } = perLayer[layer]!;
  const most = Math.min(capacity, ring?.chunk ?? capacity);
  checkWhole(`${where}: numTokens${most < capacity ? " (the ring's chunk)" : ''}`, numTokens, 1, most);
  const turns = checkTurns(where, cache.device, args, { ...perLayer[layer]!, batch, capacity, numTokens });
  const heads = { numKvHeads, numQHeads: turns.before.numQHeads };
  const grid = appendGrid(batch, heads, numTokens);
  const { maxGrid } = cache.device.facts;
  if (grid[0] > maxGrid) {
    throw new LimitExceededError(where, 'maxComputeWorkgroupsPerDimension', grid[0], maxGrid);
  }
  const axes = { batch, heads: numKvHeads, qLen: numTokens };
  const places = {
    k: rowPlaces(`${where}: kRows`, args.kRows ?? {}, axes, headDim),
    v: rowPlaces(`${where}: vRows`, args.vRows ?? {}, axes, vHeadDim),
    ...(turns.places && { q: turns.places }),
  };
  const ranges = {
    k: checkRange(cache.device, `${where}: k`, args.k, exactBytes(places.k, axes)),
    v: checkRange(cache.device, `${where}: v`, args.v, exactBytes(places.v, axes)),
    ...turns.ranges,
  };
  const { segments } = cache.layers[layer]!;
  const written = ['k_cache', 'v_cache', ...(turns.ranges.q ? ['q'] : [])];
  for (const { k, v } of segments) {
    checkWritten(where, written, { ...ranges, k_cache: k, v_cache: v });
  }
  return { layer, numTokens, heads, grid, ranges, places, turns };
}

/**
 * Writes how many tokens each sequence takes of `rows` to `counts`, [B], and returns the most of them. Allocates nothing.
 * Throws ShapeError for what is no such number, or one for each sequence.
 */
export function readCounts(
  numTokens: number | readonly number[] | undefined,
  rows: number,
  counts: Uint32Array,
): number {
  if (!isList(numTokens)) {
    const count = numTokens === undefined ? rows : numTokens;
    checkWhole('append: numTokens', count, 0, rows);
    counts.fill(count);
    return count;
  }
  const { length } = counts;
  if (numTokens.length !== length) {
    throw new ShapeError(
      `append: numTokens: expected ${length} numbers, one per sequence, got ${numTokens.length}`,
    );
  }
  let most = 0;
  for (let b = 0; b < length; b++) {
    const count = numTokens[b]!;
    if (!Number.isSafeInteger(count) || count < 0 || count > rows) {
      checkWhole(`append: numTokens of sequence ${b}`, count, 0, rows); // makes text, and so is not called for each
    }
    counts[b] = count;
    most = Math.max(most, count);
  }
  return most;
}

function isList(numTokens: number | readonly number[] | undefined): numTokens is readonly number[] {
  return Array.isArray(numTokens);
}

/** Throws ShapeError unless the bound rows reach as far as an append of so many tokens of each sequence. Allocates nothing. */
export function checkReach(
  { places, ranges, heads }: Pick<BoundRows, 'places' | 'ranges' | 'heads'>,
  counts: ArrayLike<number>,
): void {
  checkBytes('k', places.k, ranges.k.size, heads.numKvHeads, counts);
  checkBytes('v', places.v, ranges.v.size, heads.numKvHeads, counts);
  if (places.q) checkBytes('q', places.q, ranges.q!.size, heads.numQHeads, counts);
}

function checkBytes(
  name: string,
  places: RowPlaces,
  bound: number,
  heads: number,
  counts: ArrayLike<number>,
): void {
  const needed = rowsEnd(places, heads, counts) * rowTypeBytes(places.type);
  if (bound >= needed) return;
  throw new ShapeError(
    `append: ${name}: expected at least ${needed} bytes for the rows of its tokens, got ${bound}`,
  );
}
