// ring.test.ts: the ring of step numbers: alignment, sharing, and that what is recorded is not overwritten.
import { describe, expect, test } from 'vitest';
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import { RING_SLOTS, StepRing } from '../../src/device/ring.ts';

/** A ring on a device that only notes what is made and written. */
function ringOf(words: number, alignment = 256) {
  const memory: (readonly number[])[] = [];
  const made: GPUBufferDescriptor[] = [];
  let destroyed = 0;
  const device = {
    limits: { minStorageBufferOffsetAlignment: alignment },
    createBuffer(descriptor: GPUBufferDescriptor) {
      made.push(descriptor);
      return { destroy: () => destroyed++ };
    },
    queue: { writeBuffer: (_: unknown, offset: number, data: Uint32Array) => (memory[offset] = [...data]) },
  };
  const ring = new StepRing({ device } as unknown as GqaDevice, 'step', words);
  return { ring, made, memory, destroyed: () => destroyed };
}

const content = (n: number) => Uint32Array.of(n, 7, 9);

describe('StepRing', () => {
  test('slots lie at multiples of the alignment', () => {
    const { ring, made } = ringOf(3);
    expect(made).toEqual([{ label: 'step', size: 256 * RING_SLOTS, usage: 0x80 | 0x08 }]);
    expect(ring.slotBytes).toBe(12);
    expect([0, 1, 2].map((n) => ring.place(content(n)))).toEqual([0, 256, 512]);
  });

  test('a slot of more than one alignment takes the next multiple', () => {
    const { ring, made } = ringOf(65);
    expect(made[0]!.size).toBe(512 * RING_SLOTS);
    expect([ring.place(new Uint32Array(65)), ring.place(new Uint32Array(65).fill(1))]).toEqual([0, 512]);
  });

  test('writes what is given', () => {
    const { ring, memory } = ringOf(3, 32);
    ring.place(content(5));
    ring.place(content(6));
    expect(memory[0]).toEqual([5, 7, 9]);
    expect(memory[32]).toEqual([6, 7, 9]);
  });

  test('equal contents share a slot and are written once', () => {
    const { ring, memory } = ringOf(3);
    expect([1, 2, 1, 2].map((n) => ring.place(content(n)))).toEqual([0, 256, 0, 256]);
    expect(Object.keys(memory)).toEqual(['0', '256']);
  });

  test('contents of different length are different', () => {
    const { ring } = ringOf(3);
    expect(ring.place(Uint32Array.of(1, 2))).not.toBe(ring.place(Uint32Array.of(1, 2, 0)));
  });

  test('as many distinct contents as there are slots keep a slot each; one more takes the oldest', () => {
    const { ring } = ringOf(3);
    const offsets = Array.from({ length: RING_SLOTS }, (_, n) => ring.place(content(n)));
    expect(new Set(offsets).size).toBe(RING_SLOTS);
    expect(ring.place(content(RING_SLOTS))).toBe(offsets[0]);
    expect(ring.place(content(0))).toBe(offsets[1]);
  });

  test('up to RING_SLOTS distinct contents in a row stay readable, whatever was placed before', () => {
    const { ring, memory } = ringOf(3);
    for (let n = 0; n < RING_SLOTS; n++) ring.place(content(n));
    // One command buffer: an old content again, then new ones. Each dispatch must find its own numbers at submit.
    const recorded = [0, ...Array.from({ length: RING_SLOTS - 1 }, (_, i) => 100 + i)];
    const offsets = recorded.map((n) => ring.place(content(n)));
    expect(offsets.map((offset) => memory[offset]![0])).toEqual(recorded);
  });

  test('keeps its own copy: a content changed by its owner is another content', () => {
    const { ring } = ringOf(3);
    const words = content(1);
    const first = ring.place(words);
    words[0] = 2;
    expect(ring.place(words)).not.toBe(first);
  });

  test('an owner finds its slot without its content being compared, as long as the slot is its own', () => {
    const { ring, memory } = ringOf(3);
    const [plan, other] = [{}, {}];
    const offset = ring.place(content(1), plan);
    // A content that differs would be another slot's: an owner's never changes, so nobody looks.
    expect(ring.place(content(2), plan)).toBe(offset);
    expect(memory[offset]).toEqual([1, 7, 9]);
    expect(ring.place(content(2), other)).not.toBe(offset);
  });

  test('owners of equal contents share a slot, and both find it', () => {
    const { ring } = ringOf(3);
    const [plan, twin] = [{}, {}];
    const offset = ring.place(content(1), plan);
    expect([ring.place(content(1), twin), ring.place(content(1), plan), ring.place(content(1))]).toEqual([
      offset,
      offset,
      offset,
    ]);
  });

  test('an owner whose slot was taken by others gets a new one, with its content', () => {
    const { ring, memory } = ringOf(3);
    const plan = {};
    ring.place(content(0), plan);
    for (let n = 1; n <= RING_SLOTS; n++) ring.place(content(n), {});
    const offset = ring.place(content(0), plan);
    expect(memory[offset]).toEqual([0, 7, 9]);
  });

  test('what an owner used last is not the oldest', () => {
    const { ring, memory } = ringOf(3);
    const plan = {};
    const offset = ring.place(content(0), plan);
    for (let n = 1; n < RING_SLOTS; n++) ring.place(content(n));
    ring.place(content(0), plan);
    ring.place(content(RING_SLOTS));
    expect(memory[offset]).toEqual([0, 7, 9]);
  });

  test('destroy frees the buffer', () => {
    const { ring, destroyed } = ringOf(3);
    ring.destroy();
    expect(destroyed()).toBe(1);
  });
});
