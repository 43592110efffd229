// forks.ts: records copies of a sequence's rows to another sequence of a cache.
import { ShapeError } from '../device/errors.ts';
import { checkWhole } from '../device/options.ts';
import { checkTarget, fateOf } from '../device/encoders.ts';
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
import { FORK_STEP_WORDS, setForked } from '../kernels/forkRows.ts';
import type { Grid } from '../kernels/kernel.ts';
import { headsOf, segmentRows, segmentsOf } from './headSegments.ts';
import { slotsOf } from './layout.ts';
import type { CountedFork } from './lengths.ts';
import { ADVICE, type CacheParts } from './parts.ts';
import { pageSlots, type PageSlots } from './sequenceRows.ts';

/** @internal Copies within a segment and, in a cache of several, from one to another. */
export interface ForkKernels {
  readonly within: CompiledKernel;
  readonly across?: CompiledKernel;
}

/** The fork kernel with the buffers of the layers it was needed for. */
export class Forks {
  readonly #cache: CacheParts;
  readonly #kernels: ForkKernels;
  readonly #ring: StepRing;
  readonly #stepWords = new Uint32Array(FORK_STEP_WORDS);
  /** Of each layer, by segments that are copied from and to. */
  readonly #bound: Map<string, BoundKernel>[] = [];

  constructor(cache: CacheParts, kernels: ForkKernels) {
    this.#cache = cache;
    this.#kernels = kernels;
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
      const dispatches = this.#copySequence(pass, layer, from, to);
      status.noteAppend(layer, target, dispatches);
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
    const copies = tables.takeCopies(fateOf(target));
    for (const { from, to } of copies) {
      const places = [pageSlots(from, layout), pageSlots(to, layout)] as const;
      for (let layer = 0; layer < layout.layers; layer++) {
        this.#copyPage(pass, layer, places);
        status.noteAppend(layer, target);
      }
      lengths.countCopy();
    }
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
    this.#cache.tables?.returnCopies();
  }

  #copyPage(pass: GPUComputePassEncoder, layer: number, [from, to]: readonly [PageSlots, PageSlots]): void {
    const { perLayer, pageSize } = this.#cache.layout;
    const rows = { from: { sequence: 0, ...from }, to: { sequence: 0, ...to }, kvLen: pageSize! };
    const grid = setForked(this.#stepWords, perLayer[layer]!, rows);
    this.#copy(pass, layer, [from.segment, to.segment], grid);
  }

  /** Copies the heads of each segment that a sequence is in; returns how many dispatches that takes. */
  #copySequence(pass: GPUComputePassEncoder, layer: number, from: number, to: number): number {
    const { batch, perLayer } = this.#cache.layout;
    const own = perLayer[layer]!;
    const kvLen = slotsOf(own, this.#cache.lengths.live(layer)[from]!);
    const [sources, targets] = [segmentsOf(own, from), segmentsOf(own, to)];
    for (const [i, source] of sources.entries()) {
      const target = targets[i]!;
      const { heads, firstSequence } = headsOf(own, batch, source);
      const shape = { numKvHeads: heads, k: segmentRows(own.k, own), v: segmentRows(own.v, own) };
      const rows = {
        from: { sequence: from - firstSequence, slot: 0 },
        to: { sequence: to - headsOf(own, batch, target).firstSequence, slot: 0 },
        kvLen,
      };
      this.#copy(pass, layer, [source, target], setForked(this.#stepWords, shape, rows));
    }
    return sources.length;
  }

  #copy(
    pass: GPUComputePassEncoder,
    layer: number,
    [source, target]: readonly [number, number],
    grid: Grid,
  ): void {
    dispatch(pass, this.#boundTo(layer, source, target), grid, this.#ring.place(this.#stepWords));
  }

  #boundTo(layer: number, source: number, target: number): BoundKernel {
    const bound = (this.#bound[layer] ??= new Map());
    const key = `${source} ${target}`;
    const known = bound.get(key) ?? this.#bind(layer, source, target);
    bound.set(key, known);
    return known;
  }

  /** The kernel of one segment, or of two. */
  #bind(layer: number, source: number, target: number): BoundKernel {
    const { device, layers, status } = this.#cache;
    const { segments } = layers[layer]!;
    const { k, v } = segments[target]!;
    const buffers = { k_cache: k, v_cache: v, status: status.range(layer), step: this.#ring };
    if (source === target) return bindKernel(device.gpu, this.#kernels.within, buffers);
    const sources = { k_source: segments[source]!.k, v_source: segments[source]!.v };
    return bindKernel(device.gpu, this.#kernels.across!, { ...buffers, ...sources });
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
