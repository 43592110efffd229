// ring.ts: a step's own numbers (lengths, split length, scale) in a ring of buffer slots bound by dynamic offset.
//
// Two writes to one small buffer before one submit would give both dispatches the last value. Here each distinct
// content has its own slot, so recording many steps into one command buffer is safe as long as they have no more
// distinct contents than the ring has slots; equal contents (all layers of a step) share one.
import type { GqaDevice } from './gqaDevice.ts';
import { BUFFER_USAGE } from './usage.ts';

/** Distinct steps that may be recorded before the first of them is submitted. */
export const RING_SLOTS = 64;

/** Ring of slots for the `step` binding. `words` is the most u32 words a content may have. */
export class StepRing {
  readonly buffer: GPUBuffer;
  readonly slotBytes: number;
  readonly #device: GqaDevice;
  readonly #contents: (Uint32Array | undefined)[] = Array.from({ length: RING_SLOTS });
  #next = 0;

  constructor(device: GqaDevice, label: string, words: number) {
    const alignment = device.device.limits.minStorageBufferOffsetAlignment;
    this.#device = device;
    this.slotBytes = words * 4;
    const stride = Math.ceil(this.slotBytes / alignment) * alignment;
    this.#stride = stride;
    this.buffer = device.device.createBuffer({
      label,
      size: stride * RING_SLOTS,
      usage: BUFFER_USAGE.STORAGE | BUFFER_USAGE.COPY_DST,
    });
  }
  readonly #stride: number;

  /** Byte offset of a slot that holds `content`, written if no slot holds it yet. */
  place(content: Uint32Array<ArrayBuffer>): number {
    for (let back = 1; back <= RING_SLOTS; back++) {
      const slot = (this.#next - back + RING_SLOTS) % RING_SLOTS;
      const held = this.#contents[slot];
      if (held === undefined) break;
      if (equal(held, content)) return slot * this.#stride;
    }
    const slot = this.#next;
    this.#next = (slot + 1) % RING_SLOTS;
    this.#contents[slot] = content;
    this.#device.device.queue.writeBuffer(this.buffer, slot * this.#stride, content);
    return slot * this.#stride;
  }

  destroy(): void {
    this.buffer.destroy();
  }
}

function equal(a: Uint32Array, b: Uint32Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
