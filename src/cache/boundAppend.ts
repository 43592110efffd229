// boundAppend.ts: buffers of new tokens bound to a layer of a cache.
import type { BoundKernel, RecordTarget } from '../device/record.ts';
import type { Grid } from '../kernels/kernel.ts';

/** New rows bound to a layer: the kernel with their buffers, and how much of it to dispatch. */
export interface BoundRows {
  readonly kernel: BoundKernel;
  readonly layer: number;
  readonly numTokens: number;
  readonly grid: Grid;
}

/** What a bound append records into: the cache that made it. */
interface AppendTarget {
  recordAppend(target: RecordTarget, rows: BoundRows): void;
}

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
   * Throws ShapeError when a sequence has no room or the target is not open, ForeignDeviceError when the target is of another
   * device: then nothing was recorded and the cache is unchanged.
   */
  record(target: RecordTarget): void {
    this.#cache.recordAppend(target, this.#rows);
  }
}
