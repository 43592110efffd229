// appends.ts: records and submits appends to a cache.
import { createUniform } from '../device/buffers.ts';
import { GqaError } from '../device/errors.ts';
import type { CompiledKernel } from '../device/pipelines.ts';
import { beginPass, bindKernel, dispatch, endPass, type RecordTarget } from '../device/record.ts';
import { StepRing } from '../device/ring.ts';
import { submitted } from '../device/scopes.ts';
import { checkTarget } from '../device/encoders.ts';
import {
  appendGrid,
  appendKv,
  appendStepWords,
  setAppended,
  setAppendedPages,
  type AppendHeads,
} from '../kernels/appendKv.ts';
import type { Grid } from '../kernels/kernel.ts';
import { checkReach, readCounts, type CheckedRows } from './appendArgs.ts';
import type { AppendOptions, BoundRows } from './boundAppend.ts';
import type { CountedAppend } from './lengths.ts';
import type { Forks } from './forks.ts';
import type { LayerLayout } from './layout.ts';
import { appendRuns, headsRuns, type AppendRun } from './appendRuns.ts';
import { pagesOf } from './pagePool.ts';
import { ADVICE, type CacheParts } from './parts.ts';

/** Append kernels and the numbers of their steps. */
export class Appends {
  readonly #cache: CacheParts;
  readonly #kernels: readonly CompiledKernel[];
  readonly #forks: Forks;
  readonly #ring: StepRing;
  /** Weights of norms that are bound. */
  readonly #norms = new Set<GPUBuffer>();
  /** The `step` binding's words, for each shape of layers. */
  readonly #stepWords = new Map<LayerLayout, Uint32Array<ArrayBuffer>>();
  /** Tokens of each sequence in the append that is being recorded. */
  readonly #counts: Uint32Array;
  /** Tokens that each sequence holds after that. */
  readonly #wanted: Uint32Array;

  /** @param kernels of each layer */
  constructor(cache: CacheParts, kernels: readonly CompiledKernel[], forks: Forks) {
    this.#cache = cache;
    this.#forks = forks;
    this.#kernels = kernels;
    const { batch, capacity, pageSize, segmentPages: headPages, perLayer } = cache.layout;
    const mostPages = pageSize && batch * pagesOf(capacity, pageSize);
    for (const layer of new Set(perLayer)) {
      this.#stepWords.set(layer, appendStepWords({ ...layer, batch, capacity, mostPages, headPages }));
    }
    this.#counts = new Uint32Array(batch);
    this.#wanted = new Uint32Array(batch);
    this.#ring = new StepRing(cache.device, 'append step', this.#wordsOf(0).length);
  }

  #wordsOf(layer: number): Uint32Array<ArrayBuffer> {
    return this.#stepWords.get(this.#cache.layout.perLayer[layer]!)!;
  }

  /** The kernel that appends such rows. */
  async compile({ layer, places, turns }: CheckedRows): Promise<CompiledKernel> {
    const types = { k: places.k.type, v: places.v.type, q: places.q?.type ?? 'f32' };
    const plain = turns.before.rope === undefined && !turns.before.norm;
    if (plain && types.k === 'f32' && types.v === 'f32') return this.#kernels[layer]!;
    const { device, layout } = this.#cache;
    const shape = { ...layout, ...layout.perLayer[layer]! };
    return device.pipelines.get(appendKv(shape, { ...turns.before, types }));
  }

  /** Binds rows to a layer. */
  bind(rows: CheckedRows, kernel: CompiledKernel): BoundRows {
    const { layer, ranges, turns } = rows;
    const { device, layers, status } = this.#cache;
    const norms = turns.norms && this.#createNorms(turns.norms);
    const buffers = {
      ...ranges,
      status: status.range(layer),
      step: this.#ring,
      ...(norms && { norms: { buffer: norms, offset: 0, size: norms.size } }),
    };
    const kernels = layers[layer]!.segments.map(({ k, v }) =>
      bindKernel(device.gpu, kernel, { ...buffers, k_cache: k, v_cache: v }),
    );
    return { ...rows, kernels, ...(norms && { norms }) };
  }

  #createNorms(words: Uint32Array<ArrayBuffer>): GPUBuffer {
    const buffer = createUniform(this.#cache.device, 'norms', words);
    this.#norms.add(buffer);
    return buffer;
  }

  /** Checks that the tokens fit before anything is recorded, then records and counts them. */
  record(target: RecordTarget, rows: BoundRows, numTokens: AppendOptions['numTokens']): void {
    const { device, layout, lengths, status } = this.#cache;
    const { layer } = rows;
    const most = readCounts(numTokens, rows.numTokens, this.#counts);
    lengths.checkRoom(layer, this.#counts);
    checkReach(rows, this.#counts);
    checkTarget('append', device, target);
    this.#reserve(layer);
    const pass = beginPass('append', device, target);
    this.#forks.recordCopies(pass, target);
    const isWhole = layout.perLayer[layer]!.segments === 1;
    const dispatches = isWhole ? this.#dispatch(pass, rows, most) : this.#dispatchRuns(pass, rows);
    endPass(target, pass);
    lengths.count(layer, this.#counts, dispatches);
    status.noteAppend(layer, target, dispatches);
    device.advise(ADVICE);
  }

  /** Dispatches all tokens, or a run of them in one segment; returns 1, for one dispatch. */
  #dispatch(pass: GPUComputePassEncoder, rows: BoundRows, most: number, run?: AppendRun): number {
    const { layout, lengths, tables } = this.#cache;
    const words = this.#wordsOf(rows.layer);
    let length = setAppended(words, rows.places, lengths.live(rows.layer), this.#counts, run);
    const { batch, pageSize, segmentPages } = layout;
    const segment = run === undefined ? 0 : run.segment;
    if (tables) length = setAppendedPages(words, batch, tables, pageSize!, segment * segmentPages!);
    const isAll = most === rows.numTokens && run?.heads === undefined;
    const grid = isAll ? rows.grid : runGrid(batch, rows.heads, most, run);
    dispatch(pass, rows.kernels[segment]!, grid, this.#ring.place(words, undefined, length));
    return 1;
  }

  #dispatchRuns(pass: GPUComputePassEncoder, rows: BoundRows): number {
    const { layout, lengths, tables } = this.#cache;
    const { pageSize, segmentPages } = layout;
    const pool = { pageSize: pageSize!, segmentPages: segmentPages! };
    const runs = tables
      ? appendRuns(tables, lengths.live(rows.layer), this.#counts, pool)
      : headsRuns(layout.perLayer[rows.layer]!, this.#counts);
    for (const run of runs) this.#dispatch(pass, rows, run.most, run);
    return runs.length;
  }

  /** Takes the pages that the tokens need. Throws OutOfPagesError. */
  #reserve(layer: number): void {
    const { lengths, tables } = this.#cache;
    if (!tables) return;
    const held = lengths.live(layer);
    for (let b = 0; b < held.length; b++) this.#wanted[b] = held[b]! + this.#counts[b]!;
    tables.reserve(held, this.#wanted);
  }

  /** Records and submits rows that were bound for this; takes the tokens back when WebGPU refuses that. */
  async submit(rows: BoundRows, numTokens: AppendOptions['numTokens']): Promise<void> {
    const { device, lengths } = this.#cache;
    let counted: CountedAppend | undefined;
    try {
      await submitted(device, 'append', (encoder) => {
        const before = lengths.appends(rows.layer);
        this.record(encoder, rows, numTokens);
        counted = lengths.mark(rows.layer, this.#counts, lengths.appends(rows.layer) - before);
      });
    } catch (error) {
      this.#forks.copyAgain();
      if (counted && lengths.takeBack(counted)) {
        const also = `; what was appended to layer ${rows.layer} behind it is forgotten too`;
        if (error instanceof GqaError) error.message += also;
      }
      throw error;
    } finally {
      if (rows.norms) this.#free(rows.norms);
    }
  }

  #free(norms: GPUBuffer): void {
    norms.destroy();
    this.#norms.delete(norms);
  }

  destroy(): void {
    this.#ring.destroy();
    for (const norms of this.#norms) this.#free(norms);
  }
}

/** Workgroups of all heads, or of those of a run; queries go with the first head of their sequence. */
function runGrid(batch: number, all: AppendHeads, most: number, run: AppendRun | undefined): Grid {
  if (!run?.heads) return appendGrid(batch, all, most);
  const { sequences, firstHead, heads } = run.heads;
  return appendGrid(sequences, { numKvHeads: heads, numQHeads: firstHead === 0 ? all.numQHeads : 0 }, most);
}
