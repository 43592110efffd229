// sources.ts: the sources of a context's sequences: read by the encoder, kept as K and V for the decoder's layers.
import type { KvCache } from '../../cache/kvCache.ts';
import { writeData } from '../../device/buffers.ts';
import { GqaError } from '../../device/errors.ts';
import type { GqaDevice } from '../../device/gqaDevice.ts';
import { submitted } from '../../device/scopes.ts';
import { modelStepWords, setModelStep } from '../../kernels/model/modelStep.ts';
import type { BoundContext } from './bindContext.ts';
import { wholeInPasses } from './chunks.ts';
import type { BoundEncoder } from './encoder.ts';
import type { PassArgs } from './passes.ts';
import { traceParts, type SourceSeen, type Submit } from './trace.ts';

/** Sources of a context with an encoder. */
export class Sources {
  /** K and V of all sources, for each layer of the decoder. */
  readonly cache: KvCache;
  readonly #device: GqaDevice;
  readonly #bound: BoundContext;
  readonly #encoder: BoundEncoder;
  /** Whether all of them are there: part of them would pass for all. */
  #isRead = false;

  constructor(device: GqaDevice, bound: BoundContext, encoder: BoundEncoder) {
    this.cache = bound.attention.cross!.cache;
    this.#device = device;
    this.#bound = bound;
    this.#encoder = encoder;
  }

  /** Tokens that each may have. */
  get capacity(): number {
    return this.cache.layout.capacity;
  }

  /** Tokens of each, [B]; 0 where none was read. */
  get lengths(): number[] {
    return this.cache.kvLens().map((length) => (this.#isRead ? length : 0));
  }

  /** Throws GqaError unless there are any. */
  assertRead(where: string): void {
    if (this.#isRead) return;
    throw new GqaError('usage', `${where}: expected sources that encode was given before, got none`);
  }

  /** Reads one for each sequence, [B] lists, in place of those before, and forgets what the sequences hold. */
  async encode(sources: readonly (readonly number[])[]): Promise<void> {
    await this.#readAll(sources, (place) => this.#submit((pass) => this.#encoder.record(pass, place())));
  }

  /** Reads the only sequence's source part by part, and tells of all that the encoder comes to. */
  async trace(source: readonly number[], width: number, { hidden, kv }: SourceSeen): Promise<void> {
    const { passes, cache } = this.#encoder;
    const submit: Submit = (record) => this.#submit(record);
    await this.#readAll([source], async (place) => {
      const args = place();
      const traced = { passes, args, activations: this.#bound.activations, width, submit };
      await traceParts(this.#device, traced, async (part, rows) => {
        for (const row of rows) hidden(part, row);
        if (part > 0) await kv(part - 1, cache);
      });
      await submit((pass) => this.#encoder.recordKv(pass, args));
    });
  }

  /** Has each pass over sources read; `place` puts its tokens and numbers where it finds them. */
  async #readAll(
    sources: readonly (readonly number[])[],
    read: (place: () => PassArgs) => Promise<void>,
  ): Promise<void> {
    const { activations, attention, step } = this.#bound;
    this.#isRead = false;
    attention.cache.truncate(0);
    this.cache.truncate(0);
    const words = new Uint32Array(modelStepWords(activations.sourceRows));
    for (const { rows, counts, ids, positions } of wholeInPasses(sources, activations.sourceRows)) {
      await read(() => {
        writeData(this.#device, activations.promptIds, Uint32Array.from(ids));
        const length = setModelStep(words, positions, rows);
        return this.#encoder.argsOf(counts, rows, step.place(words, undefined, length));
      });
    }
    this.#isRead = true;
  }

  #submit(record: (pass: GPUComputePassEncoder) => void): Promise<void> {
    return submitted(this.#device, 'encoder', (encoder) => {
      const pass = encoder.beginComputePass({ label: 'encoder' });
      record(pass);
      pass.end();
    });
  }
}
