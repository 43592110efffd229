// forks.ts: records copies of a sequence's rows to another sequence of a cache.
import { ShapeError } from '../device/errors.ts';
import { checkWhole } from '../device/options.ts';
import { checkTarget } from '../device/encoders.ts';
import type { CompiledKernel } from '../device/pipelines.ts';
import {
  beginPass,
  bindKernel,
  dispatch,
  endPass,
  type BoundKernel,
  type RecordTarget,
} from '../device/record.ts';
import { StepRing } from '../device/ring.ts';
import { submitted } from '../device/scopes.ts';
import { createStorage } from '../device/buffers.ts';
import { APPEND_STATUS_WORDS } from '../kernels/appendKv.ts';
import { FORK_STEP_WORDS, setForked, type ForkedRows } from '../kernels/forkRows.ts';
import type { CountedFork } from './lengths.ts';
import type { PageTables } from './pageTables.ts';
import { ADVICE, type CacheParts } from './parts.ts';

/** The fork kernel with the buffers of the layers it was needed for. */
export class Forks {
  readonly #cache: CacheParts;
  readonly #kernel: CompiledKernel;
  readonly #ring: StepRing;
  readonly #stepWords = new Uint32Array(FORK_STEP_WORDS);
  readonly #bound: (BoundKernel | undefined)[] = [];
  /** Where copies of pages are counted, which nobody reads: the append behind them in the same pass is counted. */
  readonly #uncounted: GPUBuffer | undefined;

  constructor(cache: CacheParts, kernel: CompiledKernel) {
    this.#cache = cache;
    this.#kernel = kernel;
    this.#ring = new StepRing(cache.device, 'fork step', FORK_STEP_WORDS);
    if (cache.tables)
      this.#uncounted = createStorage(cache.device, 'page copy status', APPEND_STATUS_WORDS * 4);
  }

  /** Throws ShapeError unless these are two sequences of the cache. */
  check(from: number, to: number): void {
    const last = this.#cache.layout.batch - 1;
    checkWhole('fork: from', from, 0, last);
    checkWhole('fork: to', to, 0, last);
    if (from === to)
      throw new ShapeError(`fork: to: expected another sequence than from, got ${to} for both`);
  }

  /** Records the copy of all layers in a pass, and counts its tokens. Of pages nothing is copied until one is written to. */
  record(target: RecordTarget, from: number, to: number): CountedFork {
    const { device, layout, lengths, status, tables } = this.#cache;
    if (tables) return this.#share(target, from, to, tables);
    const pass = beginPass('fork', device, target);
    for (let layer = 0; layer < layout.layers; layer++) {
      const kvLen = lengths.live(layer)[from]!;
      if (kvLen === 0) continue;
      this.#copy(pass, layer, { from, to, kvLen });
      status.noteAppend(layer, target);
    }
    endPass(target, pass);
    device.advise(ADVICE);
    return lengths.countFork(from, to);
  }

  #share(target: RecordTarget, from: number, to: number, tables: PageTables): CountedFork {
    const { device, lengths } = this.#cache;
    checkTarget('fork', device, target);
    tables.fork(from, to, lengths.longest(from));
    return lengths.countFork(from, to, false);
  }

  /** Records the copies of pages that are about to be written to, in all layers. */
  copyPages(pass: GPUComputePassEncoder): void {
    const { layout, tables } = this.#cache;
    for (const { from, to } of tables?.takeCopies() ?? []) {
      for (let layer = 0; layer < layout.layers; layer++) {
        this.#copy(pass, layer, { from, to, kvLen: layout.pageSize! });
      }
    }
  }

  #copy(pass: GPUComputePassEncoder, layer: number, rows: ForkedRows): void {
    const kernel = (this.#bound[layer] ??= this.#bind(layer));
    const grid = setForked(this.#stepWords, this.#cache.layout.perLayer[layer]!, rows);
    dispatch(pass, kernel, grid, this.#ring.place(this.#stepWords));
  }

  #bind(layer: number): BoundKernel {
    const { device, layers, status } = this.#cache;
    const { k, v } = layers[layer]!;
    const counted = this.#uncounted
      ? { buffer: this.#uncounted, offset: 0, size: this.#uncounted.size }
      : status.range(layer);
    const buffers = { k_cache: k, v_cache: v, status: counted, step: this.#ring };
    return bindKernel(device.gpu, this.#kernel, buffers);
  }

  /** Records and submits, all that was recorded before being submitted; the copy is empty when WebGPU refuses that. */
  async submit(from: number, to: number): Promise<void> {
    this.#cache.status.checkSubmitted('fork');
    let counted: CountedFork | undefined;
    try {
      await submitted(this.#cache.device, 'fork', (encoder) => {
        counted = this.record(encoder, from, to);
      });
    } catch (error) {
      if (counted) this.#cache.lengths.dropFork(counted);
      throw error;
    }
  }

  destroy(): void {
    this.#ring.destroy();
    this.#uncounted?.destroy();
  }
}
