// boundAppend.ts: buffers of new tokens bound to a layer of a cache.
import { checkOptions, type Known } from '../device/options.ts';
import type { BufferRange } from '../device/buffers.ts';
import type { BoundKernel, RecordTarget } from '../device/record.ts';
import type { AppendHeads, SourcePlaces } from '../kernels/appendKv.ts';
import type { Grid } from '../kernels/kernel.ts';

/** New rows bound to a layer: the kernel with their buffers, and how much of it to dispatch. */
export interface BoundRows {
  /** Of each segment. */
  readonly kernels: readonly BoundKernel[];
  readonly layer: number;
  /** N, rows of a head in its buffers. */
  readonly numTokens: number;
  readonly heads: AppendHeads;
  readonly grid: Grid;
  readonly places: SourcePlaces;
  readonly ranges: Readonly<Record<'k' | 'v', BufferRange> & Partial<Record<'q', BufferRange>>>;
  /** The binding `norms`, made for these rows. */
  readonly norms?: GPUBuffer;
}

/** What a bound append records into: the cache that made it. */
interface AppendTarget {
  recordAppend(
    target: RecordTarget,
    rows: BoundRows,
    numTokens: number | readonly number[] | undefined,
  ): void;
}

/** What may differ from one append of the same buffers to the next. */
export interface AppendOptions {
  /**
   * Tokens that each sequence takes, the first of its rows: [B], or one number for all. Each 0 to the N that the buffers were
   * bound for, which is the default.
   */
  readonly numTokens?: number | readonly number[];
}

/** The fields of AppendOptions. */
export const APPEND_OPTIONS = { numTokens: true } satisfies Known<AppendOptions>;

/** Buffers of new tokens bound to a layer of a cache. */
export class BoundAppend {
  readonly #cache: AppendTarget;
  readonly #rows: BoundRows;

  /** @internal Use KvCache.bindAppend. */
  constructor(cache: AppendTarget, rows: BoundRows) {
    this.#cache = cache;
    this.#rows = rows;
  }

  /**
   * Records the append and counts its tokens at once; submit what was recorded before reading the cache. Any number of
   * appends may be recorded before that, to be submitted in the order they were recorded in. Should the submit be refused,
   * or what was recorded be dropped, the tokens are counted but not there: `GqaDevice.idle` says so once something recorded
   * later was submitted, and `KvCache.truncate` to the lengths known to be good puts it right.
   * Throws ShapeError when a sequence has no room for its tokens, when there are not so many rows or the target is not open,
   * ForeignDeviceError when the target is of another device: then nothing was recorded and the cache is unchanged.
   */
  record(target: RecordTarget, options?: AppendOptions): void {
    if (options !== undefined) checkOptions('append', options, APPEND_OPTIONS);
    this.#cache.recordAppend(target, this.#rows, options?.numTokens);
  }
}
