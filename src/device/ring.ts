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
  readonly content: Uint32Array;
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
      if ((owner !== undefined && slot.owner === owner) || equal(slot.content, content)) return i;
    }
    return -1;
  }

  #write(content: Uint32Array<ArrayBuffer>): number {
    const index = this.#slots.length < RING_SLOTS ? this.#slots.length : this.#oldest();
    this.#slots[index] = { content: content.slice(), owner: undefined, used: 0 };
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

function equal(a: Uint32Array, b: Uint32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
