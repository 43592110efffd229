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
import { ADVICE, type CacheParts } from './parts.ts';

/** The append kernel and the numbers of its steps. */
export class Appends {
  readonly #cache: CacheParts;
  readonly #kernel: CompiledKernel;
  readonly #ring: StepRing;
  /** The `step` binding's words. */
  readonly #stepWords: Uint32Array<ArrayBuffer>;
  /** Tokens of each sequence in the append that is being recorded. */
  readonly #counts: Uint32Array;

  constructor(cache: CacheParts, kernel: CompiledKernel) {
    this.#cache = cache;
    this.#kernel = kernel;
    this.#stepWords = appendStepWords(cache.layout);
    this.#counts = new Uint32Array(cache.layout.batch);
    this.#ring = new StepRing(cache.device, 'append step', this.#stepWords.length);
  }

  /** Binds rows to a layer. */
  bind({ layer, numTokens, grid, ranges }: CheckedRows): BoundRows {
    const { device, status } = this.#cache;
    const buffers = { ...ranges, status: status.range(layer), step: this.#ring };
    return { kernel: bindKernel(device.gpu, this.#kernel, buffers), layer, numTokens, grid };
  }

  /** Checks that the tokens fit before anything is recorded, then records and counts them. */
  record(target: RecordTarget, rows: BoundRows, numTokens: AppendOptions['numTokens']): void {
    const { device, lengths, status } = this.#cache;
    const { kernel, layer } = rows;
    const most = readCounts(numTokens, rows.numTokens, this.#counts);
    lengths.checkRoom(layer, this.#counts);
    const pass = beginPass('append', device, target);
    setAppended(this.#stepWords, rows.numTokens, lengths.live(layer), this.#counts);
    const grid = most === rows.numTokens ? rows.grid : this.#gridOf(most);
    dispatch(pass, kernel, grid, this.#ring.place(this.#stepWords));
    endPass(target, pass);
    lengths.count(layer, this.#counts);
    status.noteAppend(layer, target);
    device.advise(ADVICE);
  }

  #gridOf(numTokens: number): BoundRows['grid'] {
    const { batch, numKvHeads } = this.#cache.layout;
    return appendGrid(batch, numKvHeads, numTokens);
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
