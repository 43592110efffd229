// appends.ts: records and submits appends to a cache.
import { createUniform } from '../device/buffers.ts';
import { GqaError } from '../device/errors.ts';
import type { CompiledKernel } from '../device/pipelines.ts';
import { beginPass, bindKernel, dispatch, endPass, type RecordTarget } from '../device/record.ts';
import { StepRing } from '../device/ring.ts';
import { submitted } from '../device/scopes.ts';
import { appendGrid, appendKv, appendStepWords, setAppended } from '../kernels/appendKv.ts';
import { readCounts, type CheckedRows } from './appendArgs.ts';
import type { AppendOptions, BoundRows } from './boundAppend.ts';
import type { CountedAppend } from './lengths.ts';
import type { LayerLayout } from './layout.ts';
import { ADVICE, type CacheParts } from './parts.ts';

/** Append kernels and the numbers of their steps. */
export class Appends {
  readonly #cache: CacheParts;
  readonly #kernels: readonly CompiledKernel[];
  readonly #ring: StepRing;
  /** Weights of norms that are bound. */
  readonly #norms = new Set<GPUBuffer>();
  /** The `step` binding's words, for each shape of layers. */
  readonly #stepWords = new Map<LayerLayout, Uint32Array<ArrayBuffer>>();
  /** Tokens of each sequence in the append that is being recorded. */
  readonly #counts: Uint32Array;

  /** @param kernels of each layer */
  constructor(cache: CacheParts, kernels: readonly CompiledKernel[]) {
    this.#cache = cache;
    this.#kernels = kernels;
    const { batch, capacity, perLayer } = cache.layout;
    for (const layer of new Set(perLayer)) {
      this.#stepWords.set(layer, appendStepWords({ ...layer, batch, capacity }));
    }
    this.#counts = new Uint32Array(batch);
    this.#ring = new StepRing(cache.device, 'append step', this.#wordsOf(0).length);
  }

  #wordsOf(layer: number): Uint32Array<ArrayBuffer> {
    return this.#stepWords.get(this.#cache.layout.perLayer[layer]!)!;
  }

  /** The kernel that appends such rows. */
  async compile({ layer, turns }: CheckedRows): Promise<CompiledKernel> {
    if (turns.before.rope === undefined && !turns.before.norm) return this.#kernels[layer]!;
    const { device, layout } = this.#cache;
    return device.pipelines.get(appendKv({ ...layout, ...layout.perLayer[layer]! }, turns.before));
  }

  /** Binds rows to a layer. */
  bind({ layer, numTokens, heads, grid, ranges, turns }: CheckedRows, kernel: CompiledKernel): BoundRows {
    const { device, status } = this.#cache;
    const norms = turns.norms && this.#createNorms(turns.norms);
    const buffers = {
      ...ranges,
      status: status.range(layer),
      step: this.#ring,
      ...(norms && { norms: { buffer: norms, offset: 0, size: norms.size } }),
    };
    const bound = bindKernel(device.gpu, kernel, buffers);
    return { kernel: bound, layer, numTokens, heads, grid, ...(norms && { norms }) };
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
    const pass = beginPass('append', device, target);
    const words = this.#wordsOf(layer);
    setAppended(words, rows.numTokens, lengths.live(layer), this.#counts);
    const grid = most === rows.numTokens ? rows.grid : appendGrid(layout.batch, rows.heads, most);
    dispatch(pass, kernel, grid, this.#ring.place(words));
    endPass(target, pass);
    lengths.count(layer, this.#counts);
    status.noteAppend(layer, target);
    device.advise(ADVICE);
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
