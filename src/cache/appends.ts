// appends.ts: records and submits appends to a cache.
import { GqaError } from '../device/errors.ts';
import type { CompiledKernel } from '../device/pipelines.ts';
import { beginPass, bindKernel, dispatch, endPass, type RecordTarget } from '../device/record.ts';
import { StepRing } from '../device/ring.ts';
import { submitted } from '../device/scopes.ts';
import { appendGrid, appendStepWords, setAppended } from '../kernels/appendKv.ts';
import { readCounts, type CheckedRows } from './appendArgs.ts';
import type { AppendOptions, BoundRows } from './boundAppend.ts';
import type { CountedAppend } from './lengths.ts';
import type { LayerLayout } from './layout.ts';
import { ADVICE, type CacheParts } from './parts.ts';

/** The append kernel and the numbers of its steps. */
export class Appends {
  readonly #cache: CacheParts;
  readonly #kernels: readonly CompiledKernel[];
  readonly #ring: StepRing;
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

  /** Binds rows to a layer. */
  bind({ layer, numTokens, grid, ranges }: CheckedRows): BoundRows {
    const { device, status } = this.#cache;
    const buffers = { ...ranges, status: status.range(layer), step: this.#ring };
    return { kernel: bindKernel(device.gpu, this.#kernels[layer]!, buffers), layer, numTokens, grid };
  }

  /** Checks that the tokens fit before anything is recorded, then records and counts them. */
  record(target: RecordTarget, rows: BoundRows, numTokens: AppendOptions['numTokens']): void {
    const { device, lengths, status } = this.#cache;
    const { kernel, layer } = rows;
    const most = readCounts(numTokens, rows.numTokens, this.#counts);
    lengths.checkRoom(layer, this.#counts);
    const pass = beginPass('append', device, target);
    const words = this.#wordsOf(layer);
    setAppended(words, rows.numTokens, lengths.live(layer), this.#counts);
    const grid = most === rows.numTokens ? rows.grid : this.#gridOf(layer, most);
    dispatch(pass, kernel, grid, this.#ring.place(words));
    endPass(target, pass);
    lengths.count(layer, this.#counts);
    status.noteAppend(layer, target);
    device.advise(ADVICE);
  }

  #gridOf(layer: number, numTokens: number): BoundRows['grid'] {
    const { batch, perLayer } = this.#cache.layout;
    return appendGrid(batch, perLayer[layer]!.numKvHeads, numTokens);
  }

  /** Records and submits; takes the tokens back when WebGPU refuses that. */
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
    }
  }

  destroy(): void {
    this.#ring.destroy();
  }
}
