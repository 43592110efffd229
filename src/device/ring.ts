// ring.ts: a step's own numbers (lengths, split length, scale) in a ring of buffer slots bound by dynamic offset.
//
// Two writes to one small buffer before one submit would give both dispatches the last value. Here each distinct
// content has its own slot, so recording many steps into one command buffer is safe as long as they have no more
// distinct contents than the ring has slots; equal contents (all layers of a step) share one.
import type { GqaDevice } from './gqaDevice.ts';
import { BUFFER_USAGE } from './usage.ts';

/** Distinct steps that may be recorded before the first of them is submitted. */
export const RING_SLOTS = 64;

interface Slot {
  /** At least `length` words; kept for the slot's next content if that is no longer. */
  content: Uint32Array;
  length: number;
  owner: object | undefined;
  used: number;
}

/** Slots for the `step` binding; the least recently used one is taken next. `words` is the most u32 words of a content. */
export class StepRing {
  readonly buffer: GPUBuffer;
  readonly slotBytes: number;
  readonly #device: GqaDevice;
  readonly #stride: number;
  readonly #slots: Slot[] = [];
  #uses = 0;

  constructor(device: GqaDevice, label: string, words: number) {
    const alignment = device.device.limits.minStorageBufferOffsetAlignment;
    this.#device = device;
    this.slotBytes = words * 4;
    this.#stride = Math.ceil(this.slotBytes / alignment) * alignment;
    this.buffer = device.device.createBuffer({
      label,
      size: this.#stride * RING_SLOTS,
      usage: BUFFER_USAGE.STORAGE | BUFFER_USAGE.COPY_DST,
    });
  }

  /**
   * Byte offset of a slot that holds `content`, written if no slot holds it yet. An `owner` stands for its content, which
   * must never change: all layers of a step then find their slot without comparing words. Allocates nothing when the
   * content is known.
   */
  place(content: Uint32Array<ArrayBuffer>, owner?: object): number {
    let index = this.#find(content, owner);
    if (index < 0) index = this.#write(content);
    const slot = this.#slots[index]!;
    slot.used = ++this.#uses;
    slot.owner = owner;
    return index * this.#stride;
  }

  #find(content: Uint32Array, owner: object | undefined): number {
    for (let i = 0; i < this.#slots.length; i++) {
      const slot = this.#slots[i]!;
      if ((owner !== undefined && slot.owner === owner) || holds(slot, content)) return i;
    }
    return -1;
  }

  #write(content: Uint32Array<ArrayBuffer>): number {
    let index = this.#slots.length;
    if (index === RING_SLOTS) index = this.#oldest();
    else this.#slots.push({ content: new Uint32Array(0), length: 0, owner: undefined, used: 0 });
    const slot = this.#slots[index]!;
    if (slot.content.length < content.length) slot.content = new Uint32Array(content.length);
    slot.content.set(content);
    slot.length = content.length;
    this.#device.device.queue.writeBuffer(this.buffer, index * this.#stride, content);
    return index;
  }

  #oldest(): number {
    let oldest = 0;
    for (let i = 1; i < this.#slots.length; i++) {
      if (this.#slots[i]!.used < this.#slots[oldest]!.used) oldest = i;
    }
    return oldest;
  }

  destroy(): void {
    this.buffer.destroy();
  }
}

function holds({ content, length }: Slot, wanted: Uint32Array): boolean {
  if (length !== wanted.length) return false;
  for (let i = 0; i < length; i++) if (content[i] !== wanted[i]) return false;
  return true;
}
