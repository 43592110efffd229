// writes.ts: writes to a file that overlap with other work, and the buffers they come from.
import type { FileHandle } from 'node:fs/promises';

/** Bytes that are read or copied at a time. */
export const PIECE = 8 * 2 ** 20;
/** Bytes that are read ahead of the work, and that may wait to be written. */
export const AHEAD = 4 * PIECE;
/** Buffers that are used again: fresh memory is cleared page by page, which takes as long as filling it. */
export class Memory {
  readonly #free: ArrayBuffer[] = [];

  take(byteLength: number): ArrayBuffer {
    const at = this.#free.findIndex((buffer) => buffer.byteLength === byteLength);
    return at < 0 ? new ArrayBuffer(byteLength) : this.#free.splice(at, 1)[0]!;
  }

  /** Takes a buffer back; of others than pieces only the last two are kept. */
  give(buffer: ArrayBuffer): void {
    this.#free.push(buffer);
    const others = this.#free.filter(({ byteLength }) => byteLength !== PIECE);
    if (others.length > 2) this.#free.splice(this.#free.indexOf(others[0]!), 1);
  }
}

/**
 * Writes that are under way, one after the other: the system lets one writer at a time into a file, and more that wait at
 * its door keep processors busy. The first failure is thrown by the next call.
 */
export class Writes {
  readonly #handle: FileHandle;
  readonly memory: Memory;
  #last: Promise<void> = Promise.resolve();
  readonly #sizes: number[] = [];
  #error: unknown;

  constructor(handle: FileHandle, memory: Memory) {
    this.#handle = handle;
    this.memory = memory;
  }

  /** Begins to write `bytes`, which are the writer's from here on; waits while too much is waiting before them. */
  async add(bytes: Uint8Array, at: number): Promise<void> {
    const before = this.#last;
    this.#sizes.push(bytes.byteLength);
    this.#last = before.then(() => this.#write(bytes, at));
    const waiting = this.#sizes.reduce((sum, size) => sum + size, 0);
    if (waiting > AHEAD) await before;
    this.#check();
  }

  async #write(bytes: Uint8Array, at: number): Promise<void> {
    try {
      if (this.#error === undefined) await writeAll(this.#handle, bytes, at);
    } catch (error) {
      this.#error = error;
    }
    this.#sizes.shift();
    if (bytes.buffer.byteLength === PIECE) this.memory.give(bytes.buffer as ArrayBuffer);
  }

  /** Waits until the system has everything. */
  async done(): Promise<void> {
    await this.#last;
    this.#check();
  }

  #check(): void {
    if (this.#error !== undefined) throw this.#error;
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let written = 0; written < bytes.byteLength;) {
    const length = Math.min(bytes.byteLength - written, 2 ** 28);
    const { bytesWritten } = await handle.write(bytes, written, length, at + written);
    written += bytesWritten;
  }
}
