// forks.ts: records copies of a sequence's rows to another sequence of a cache.
import { ShapeError } from '../device/errors.ts';
import { checkWhole } from '../device/options.ts';
import { checkTarget, fateOf, type Fate } from '../device/encoders.ts';
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
import { FORK_STEP_WORDS, setForked, type ForkedRows } from '../kernels/forkRows.ts';
import { slotsOf } from './layout.ts';
import type { CountedFork } from './lengths.ts';
import type { PageCopy } from './pageTables.ts';
import { ADVICE, type CacheParts } from './parts.ts';

/** The fork kernel with the buffers of the layers it was needed for. */
export class Forks {
  readonly #cache: CacheParts;
  readonly #kernel: CompiledKernel;
  readonly #ring: StepRing;
  readonly #stepWords = new Uint32Array(FORK_STEP_WORDS);
  readonly #bound: (BoundKernel | undefined)[] = [];
  /** Copies of pages that were recorded into encoders which were not submitted yet, as far as that is known. */
  #recorded: { readonly copies: readonly PageCopy[]; readonly fate: Fate }[] = [];

  constructor(cache: CacheParts, kernel: CompiledKernel) {
    this.#cache = cache;
    this.#kernel = kernel;
    this.#ring = new StepRing(cache.device, 'fork step', FORK_STEP_WORDS);
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
      this.#copy(pass, layer, { from, to, kvLen: slotsOf(layout.perLayer[layer]!, kvLen) });
      status.noteAppend(layer, target);
    }
    endPass(target, pass);
    device.advise(ADVICE);
    return lengths.countFork(from, to);
  }

  #share(
    target: RecordTarget,
    from: number,
    to: number,
    tables: NonNullable<CacheParts['tables']>,
  ): CountedFork {
    const { device, lengths } = this.#cache;
    checkTarget('fork', device, target);
    tables.fork(from, to, lengths.longest(from));
    return lengths.countFork(from, to, false);
  }

  /** Records the copies of pages that are about to be written to or read, in all layers; each counts as an append of theirs. */
  recordCopies(pass: GPUComputePassEncoder, target: RecordTarget): void {
    const { layout, lengths, status, tables } = this.#cache;
    if (!tables?.hasCopies) return;
    const copies = tables.takeCopies();
    for (const { from, to } of copies) {
      for (let layer = 0; layer < layout.layers; layer++) {
        this.#copy(pass, layer, { from, to, kvLen: layout.pageSize! });
        status.noteAppend(layer, target);
      }
      lengths.countCopy();
    }
    const fate = fateOf(target);
    this.#recorded = this.#recorded.filter((each) => !each.fate.submitted);
    if (fate) this.#recorded.push({ copies, fate });
  }

  /** Submits the copies of pages, before the host writes to one that they are of. */
  submitCopies(): void {
    const { device, tables } = this.#cache;
    if (!tables?.hasCopies) return;
    const encoder = device.gpu.createCommandEncoder({ label: 'page copies' });
    const pass = beginPass('page copies', device, encoder);
    this.recordCopies(pass, encoder);
    endPass(encoder, pass);
    device.gpu.queue.submit([encoder.finish()]);
  }

  /** Copies that were recorded and not submitted are made with the next work. */
  copyAgain(): void {
    const lost = this.#recorded.filter(({ fate }) => !fate.submitted);
    this.#recorded = [];
    this.#cache.tables?.returnCopies(lost.flatMap(({ copies }) => copies));
  }

  #copy(pass: GPUComputePassEncoder, layer: number, rows: ForkedRows): void {
    const kernel = (this.#bound[layer] ??= this.#bind(layer));
    const grid = setForked(this.#stepWords, this.#cache.layout.perLayer[layer]!, rows);
    dispatch(pass, kernel, grid, this.#ring.place(this.#stepWords));
  }

  #bind(layer: number): BoundKernel {
    const { device, layers, status } = this.#cache;
    const { k, v } = layers[layer]!;
    const buffers = { k_cache: k, v_cache: v, status: status.range(layer), step: this.#ring };
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
      this.#cache.tables?.shorten(to, 0);
      throw error;
    }
  }

  destroy(): void {
    this.#ring.destroy();
  }
}
