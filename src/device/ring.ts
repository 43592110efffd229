// ring.ts: a step's own numbers (lengths, split length, scale), each in a place of its own, bound by dynamic offset.
//
// Two writes to one place before one submit would give both dispatches the last value. Here a place is written once and
// never again, so any number of steps may be recorded before the first of them is submitted, into any encoders, which are
// submitted in any order. Places lie one behind the other in a chunk; a full chunk gives way to a new one. Nobody knows when
// the last command buffer that needs a chunk is gone, so a full one is let go of and left to the garbage collector:
// destroying it would make command buffers that were not submitted yet invalid.
import type { GqaDevice } from './gqaDevice.ts';
import { BUFFER_USAGE } from './usage.ts';

/** Bytes for contents in the first chunk and in the largest one; each chunk has twice the room of the one before. */
const FIRST_ROOM = 16 * 2 ** 10;
const MOST_ROOM = 2 ** 20;

/** Places for the `step` binding. `words` is the most u32 words of a content. */
export class StepRing {
  /** What a binding covers, from a content's offset: as long as the longest content. */
  readonly slotBytes: number;
  readonly #device: GqaDevice;
  readonly #label: string;
  readonly #alignment: number;
  #chunk: GPUBuffer;
  #room = FIRST_ROOM;
  /** Where the next content goes. */
  #next = 0;
  /** The content that was written last, and where. */
  readonly #last: Uint32Array<ArrayBuffer>;
  #lastLength = 0;
  #lastOffset = 0;
  /** Where contents in this chunk are that stand for an object. */
  #owned = new WeakMap<object, number>();

  constructor(device: GqaDevice, label: string, words: number) {
    this.#device = device;
    this.#label = label;
    this.#alignment = device.gpu.limits.minStorageBufferOffsetAlignment;
    this.slotBytes = words * 4;
    this.#last = new Uint32Array(words);
    this.#chunk = this.#createChunk();
  }

  /** The buffer that offsets refer to; another one after a `place` that found it full. */
  get buffer(): GPUBuffer {
    return this.#chunk;
  }

  /**
   * Byte offset in `buffer` of a place that holds the first `length` words of `content`. An `owner` stands for its content, which must never change: all
   * layers of a step find their place by it. Without one, layers that follow each other find the content written last.
   * Allocates nothing when the content is known, and next to nothing otherwise.
   */
  place(content: Uint32Array<ArrayBuffer>, owner?: object, length = content.length): number {
    const known = owner && this.#owned.get(owner);
    if (known !== undefined) return known;
    const offset = this.#isLast(content, length) ? this.#lastOffset : this.#write(content, length);
    if (owner) this.#owned.set(owner, offset);
    return offset;
  }

  #isLast(content: Uint32Array, length: number): boolean {
    if (length !== this.#lastLength) return false;
    for (let i = 0; i < length; i++) if (content[i] !== this.#last[i]) return false;
    return true;
  }

  #write(content: Uint32Array<ArrayBuffer>, length: number): number {
    if (this.#next >= this.#room) {
      this.#room = Math.min(2 * this.#room, MOST_ROOM);
      this.#chunk = this.#createChunk();
      this.#next = 0;
      this.#owned = new WeakMap();
    }
    const offset = this.#next;
    this.#device.gpu.queue.writeBuffer(this.#chunk, offset, content, 0, length);
    this.#next = offset + Math.ceil((length * 4) / this.#alignment) * this.#alignment;
    for (let i = 0; i < length; i++) this.#last[i] = content[i]!;
    this.#lastLength = length;
    this.#lastOffset = offset;
    return offset;
  }

  /** Room for contents, and behind it what a binding of the last one covers. */
  #createChunk(): GPUBuffer {
    return this.#device.gpu.createBuffer({
      label: this.#label,
      size: this.#room + Math.ceil(this.slotBytes / this.#alignment) * this.#alignment,
      usage: BUFFER_USAGE.STORAGE | BUFFER_USAGE.COPY_DST,
    });
  }

  destroy(): void {
    this.#chunk.destroy();
  }
}
