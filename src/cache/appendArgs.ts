// appendArgs.ts: what an append is given: buffers of new tokens for a layer, checked against the cache.
import { checkRange, checkWritten, type BufferArg, type BufferRange } from '../device/buffers.ts';
import { LimitExceededError, ShapeError } from '../device/errors.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { checkOptions, checkWhole, type Known } from '../device/options.ts';
import { appendGrid, type AppendHeads } from '../kernels/appendKv.ts';
import type { Grid } from '../kernels/kernel.ts';
import type { CacheLayer } from './layers.ts';
import type { CacheLayout } from './layout.ts';
import { checkTurns, TURN_ARGS, type CheckedTurns, type TurnArgs } from './turnArgs.ts';

/** Rows of new tokens for one layer. */
export interface AppendArgs extends TurnArgs {
  /** Layer of the cache, from 0. Default 0; in a list, the place in it. */
  readonly layer?: number;
  /** f32 [B, Hkv, numTokens, D]; exactly that many bytes. */
  readonly k: BufferArg;
  /** f32 [B, Hkv, numTokens, Dv]; exactly that many bytes. */
  readonly v: BufferArg;
  /** Rows of each head, the most tokens that a sequence can take of them: 1 to the capacity. Default 1. */
  readonly numTokens?: number;
}

const APPEND_ARGS = {
  layer: true,
  k: true,
  v: true,
  numTokens: true,
  ...TURN_ARGS,
} satisfies Known<AppendArgs>;

/** New rows that fit a layer, with the buffers by the names of the kernel. */
export interface CheckedRows {
  readonly layer: number;
  readonly numTokens: number;
  readonly heads: AppendHeads;
  readonly grid: Grid;
  readonly ranges: Readonly<Record<'k' | 'v' | 'k_cache' | 'v_cache', BufferRange>> & CheckedTurns['ranges'];
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
  const { numKvHeads, headDim, vHeadDim } = perLayer[layer]!;
  checkWhole(`${where}: numTokens`, numTokens, 1, capacity);
  const turns = checkTurns(where, cache.device, args, { ...perLayer[layer]!, batch, capacity, numTokens });
  const heads = { numKvHeads, numQHeads: turns.before.numQHeads };
  const grid = appendGrid(batch, heads, numTokens);
  const { maxGrid } = cache.device.facts;
  if (grid[0] > maxGrid) {
    throw new LimitExceededError(where, 'maxComputeWorkgroupsPerDimension', grid[0], maxGrid);
  }
  const rows = batch * numKvHeads * numTokens;
  const ranges = {
    k: checkRange(cache.device, `${where}: k`, args.k, rows * headDim * 4),
    v: checkRange(cache.device, `${where}: v`, args.v, rows * vHeadDim * 4),
    k_cache: cache.layers[layer]!.k,
    v_cache: cache.layers[layer]!.v,
    ...turns.ranges,
  };
  checkWritten(where, turns.ranges.q ? ['k_cache', 'v_cache', 'q'] : ['k_cache', 'v_cache'], ranges);
  return { layer, numTokens, heads, grid, ranges, turns };
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
