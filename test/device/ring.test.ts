// ring.test.ts: the places of step numbers: alignment, sharing, and that what was written is never overwritten.
import { describe, expect, test } from 'vitest';
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import { StepRing } from '../../src/device/ring.ts';

interface Chunk {
  readonly size: number;
  readonly usage: number;
  readonly label?: string;
  /** What was written, by offset. */
  readonly written: Map<number, readonly number[]>;
  destroyed: boolean;
  destroy(): void;
}

/** A ring on a device that only notes what is made and written. */
function ringOf(words: number, alignment = 256) {
  const chunks: Chunk[] = [];
  const device = {
    limits: { minStorageBufferOffsetAlignment: alignment },
    createBuffer(descriptor: GPUBufferDescriptor) {
      const chunk: Chunk = {
        ...descriptor,
        written: new Map(),
        destroyed: false,
        destroy: () => (chunk.destroyed = true),
      };
      chunks.push(chunk);
      return chunk;
    },
    queue: {
      writeBuffer({ written }: Chunk, offset: number, data: Uint32Array) {
        expect(written.has(offset), `offset ${offset} was written before`).toBe(false);
        written.set(offset, [...data]);
      },
    },
  };
  const ring = new StepRing({ gpu: device } as unknown as GqaDevice, 'step', words);
  const place = (given: Uint32Array<ArrayBuffer>, owner?: object) => {
    const offset = ring.place(given, owner);
    const chunk = ring.buffer as unknown as Chunk;
    return { chunk, offset, read: () => chunk.written.get(offset) };
  };
  return { ring, place, chunks };
}

const content = (n: number) => Uint32Array.of(n, 7, 9);

describe('StepRing', () => {
  test('places lie at multiples of the alignment, a binding of the last one within the buffer', () => {
    const { ring, place, chunks } = ringOf(3);
    expect(ring.slotBytes).toBe(12);
    expect([0, 1, 2].map((n) => place(content(n)).offset)).toEqual([0, 256, 512]);
    expect(chunks[0]).toMatchObject({ label: 'step', size: 16384 + 256, usage: 0x80 | 0x08 });
    for (let n = 3; n < 5000; n++) {
      const { chunk, offset } = place(content(n));
      expect(offset + ring.slotBytes).toBeLessThanOrEqual(chunk.size);
    }
  });

  test('a content takes the room of its own length, not of the longest', () => {
    const { ring, place, chunks } = ringOf(10_000);
    expect(ring.slotBytes).toBe(40_000);
    expect([1, 2, 3].map((n) => place(content(n)).offset)).toEqual([0, 256, 512]);
    expect(place(new Uint32Array(10_000)).offset).toBe(768);
    expect(place(content(4)).offset).toBe(0); // of the next chunk
    expect(chunks.map(({ size }) => size)).toEqual([16384 + 40_192, 32768 + 40_192]);
  });

  test('thousands of different contents are each written once, and all stay as they were', () => {
    const { place } = ringOf(3);
    const places = Array.from({ length: 20_000 }, (_, n) => place(content(n)));
    expect(places.map(({ read }) => read()![0])).toEqual(places.map((_, n) => n));
  });

  test('chunks grow to a mebibyte, are let go of, and are not destroyed', () => {
    const { ring, place, chunks } = ringOf(3);
    for (let n = 0; n < 20_000; n++) place(content(n));
    expect(chunks.slice(0, 3).map(({ size }) => size - 256)).toEqual([16384, 32768, 65536]);
    expect(Math.max(...chunks.map(({ size }) => size))).toBe(2 ** 20 + 256);
    expect(chunks.at(-1)!.size).toBe(2 ** 20 + 256);
    expect(chunks.some(({ destroyed }) => destroyed)).toBe(false);
    expect(ring.buffer).toBe(chunks.at(-1));
  });

  test('equal contents behind each other share a place', () => {
    const { place } = ringOf(3);
    expect([1, 1, 2, 2, 1].map((n) => place(content(n)).offset)).toEqual([0, 0, 256, 256, 512]);
  });

  test('contents of different length are different', () => {
    const { place } = ringOf(3);
    expect(place(Uint32Array.of(1, 2)).offset).not.toBe(place(Uint32Array.of(1, 2, 0)).offset);
    expect(place(Uint32Array.of(1, 2)).offset).toBe(512);
  });

  test('keeps its own copy: a content changed by its owner is another content', () => {
    const { place } = ringOf(3);
    const words = content(1);
    const first = place(words);
    words[0] = 2;
    expect(place(words).offset).not.toBe(first.offset);
    expect(first.read()).toEqual([1, 7, 9]);
  });

  test('an owner finds its place without its content being compared, whatever was placed since', () => {
    const { place } = ringOf(3);
    const [plan, other] = [{}, {}];
    const first = place(content(1), plan);
    for (let n = 100; n < 150; n++) place(content(n));
    // A content that differs would be another place's: an owner's never changes, so nobody looks.
    expect(place(content(2), plan).offset).toBe(first.offset);
    expect(place(content(2), other).offset).not.toBe(first.offset);
  });

  test('owners of equal contents behind each other share a place, and both find it', () => {
    const { place } = ringOf(3);
    const [plan, twin] = [{}, {}];
    const { offset } = place(content(1), plan);
    const again = [place(content(1), twin), place(content(1), plan), place(content(1))];
    expect(again.map((found) => found.offset)).toEqual([offset, offset, offset]);
  });

  test('an owner of a former chunk gets a place in this one, with its content', () => {
    const { place, chunks } = ringOf(3);
    const plan = {};
    const old = place(content(1), plan);
    for (let n = 100; chunks.length < 3; n++) place(content(n));
    const found = place(content(1), plan);
    expect(found.chunk).toBe(chunks[2]);
    expect(found.read()).toEqual([1, 7, 9]);
    expect(old.read()).toEqual([1, 7, 9]);
    expect(place(content(1), plan).offset).toBe(found.offset);
  });

  test('destroy frees the buffer', () => {
    const { ring, chunks } = ringOf(3);
    ring.destroy();
    expect(chunks[0]!.destroyed).toBe(true);
  });
});
