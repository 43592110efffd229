// appends.ts: records and submits appends to a cache.
import { createUniform } from '../device/buffers.ts';
import { GqaError } from '../device/errors.ts';
import type { CompiledKernel } from '../device/pipelines.ts';
import { beginPass, bindKernel, dispatch, endPass, type RecordTarget } from '../device/record.ts';
import { StepRing } from '../device/ring.ts';
import { submitted } from '../device/scopes.ts';
import { checkTarget } from '../device/encoders.ts';
import { appendGrid, appendKv, appendStepWords, setAppended, setAppendedPages } from '../kernels/appendKv.ts';
import { checkReach, readCounts, type CheckedRows } from './appendArgs.ts';
import type { AppendOptions, BoundRows } from './boundAppend.ts';
import type { CountedAppend } from './lengths.ts';
import type { Forks } from './forks.ts';
import type { LayerLayout } from './layout.ts';
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
    const { batch, capacity, pageSize, perLayer } = cache.layout;
    const mostPages = pageSize && batch * pagesOf(capacity, pageSize);
    for (const layer of new Set(perLayer)) {
      this.#stepWords.set(layer, appendStepWords({ ...layer, batch, capacity, mostPages }));
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
    const { device, status } = this.#cache;
    const norms = turns.norms && this.#createNorms(turns.norms);
    const buffers = {
      ...ranges,
      status: status.range(layer),
      step: this.#ring,
      ...(norms && { norms: { buffer: norms, offset: 0, size: norms.size } }),
    };
    const bound = bindKernel(device.gpu, kernel, buffers);
    return { ...rows, kernel: bound, ...(norms && { norms }) };
  }

  #createNorms(words: Uint32Array<ArrayBuffer>): GPUBuffer {
    const buffer = createUniform(this.#cache.device, 'norms', words);
    this.#norms.add(buffer);
    return buffer;
  }

  /** Checks that the tokens fit before anything is recorded, then records and counts them. */
  record(target: RecordTarget, rows: BoundRows, numTokens: AppendOptions['numTokens']): void {
    const { device, layout, lengths, status } = this.#cache;
    const { kernel, layer } = rows;
    const most = readCounts(numTokens, rows.numTokens, this.#counts);
    lengths.checkRoom(layer, this.#counts);
    checkReach(rows, this.#counts);
    checkTarget('append', device, target);
    this.#reserve(layer);
    const pass = beginPass('append', device, target);
    this.#forks.recordCopies(pass, target);
    const words = this.#wordsOf(layer);
    setAppended(words, rows.places, lengths.live(layer), this.#counts);
    const length = this.#putPages(words, layer);
    const grid = most === rows.numTokens ? rows.grid : appendGrid(layout.batch, rows.heads, most);
    dispatch(pass, kernel, grid, this.#ring.place(words, undefined, length));
    endPass(target, pass);
    lengths.count(layer, this.#counts);
    status.noteAppend(layer, target);
    device.advise(ADVICE);
  }

  /** Takes the pages that the tokens need. Throws OutOfPagesError. */
  #reserve(layer: number): void {
    const { lengths, tables } = this.#cache;
    if (!tables) return;
    const held = lengths.live(layer);
    for (let b = 0; b < held.length; b++) this.#wanted[b] = held[b]! + this.#counts[b]!;
    tables.reserve(held, this.#wanted);
  }

  /** Adds the pages that the tokens go to; returns how many words there are then. */
  #putPages(words: Uint32Array, layer: number): number {
    const { layout, lengths, tables } = this.#cache;
    if (!tables) return words.length;
    return setAppendedPages(words, lengths.live(layer), this.#counts, tables, layout.pageSize!);
  }

  /** Records and submits rows that were bound for this; takes the tokens back when WebGPU refuses that. */
  async submit(rows: BoundRows, numTokens: AppendOptions['numTokens']): Promise<void> {
    const { device, lengths } = this.#cache;
    let counted: CountedAppend | undefined;
    try {
      await submitted(device, 'append', (encoder) => {
        this.record(encoder, rows, numTokens);
        counted = lengths.mark(rows.layer, this.#counts);
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
