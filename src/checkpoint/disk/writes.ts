// writes.ts: writes to a file that overlap with other work, and the buffers they come from.
import type { FileHandle } from 'node:fs/promises';

/** Bytes that are read or copied at a time. */
export const PIECE = 8 * 2 ** 20;
/** Bytes that are read ahead of the work, and that may wait to be written. */
export const AHEAD = 4 * PIECE;
/** Bytes after which the disk is told to begin, so that it is not idle first and waited for last. */
const FLUSH = 32 * PIECE;

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

/** Writes that are under way: a few at a time, the first failure thrown by the next call. */
export class Writes {
  readonly #handle: FileHandle;
  readonly memory: Memory;
  readonly #pending = new Set<Promise<void>>();
  #bytes = 0;
  #unflushed = 0;
  #flush: Promise<void> = Promise.resolve();
  #error: unknown;

  constructor(handle: FileHandle, memory: Memory) {
    this.#handle = handle;
    this.memory = memory;
  }

  /** Begins to write `bytes`, which are the writer's from here on. */
  async add(bytes: Uint8Array, at: number): Promise<void> {
    while (this.#bytes > 0 && this.#bytes + bytes.byteLength > AHEAD) await Promise.race(this.#pending);
    this.#check();
    this.#bytes += bytes.byteLength;
    const write = writeAll(this.#handle, bytes, at)
      .catch((error: unknown) => (this.#error ??= error))
      .then(() => {
        this.#bytes -= bytes.byteLength;
        this.#pending.delete(write);
        if (bytes.buffer.byteLength === PIECE) this.memory.give(bytes.buffer as ArrayBuffer);
      });
    this.#pending.add(write);
    this.#unflushed += bytes.byteLength;
    if (this.#unflushed >= FLUSH) this.#startFlush();
  }

  #startFlush(): void {
    this.#unflushed = 0;
    this.#flush = this.#flush
      .then(() => this.#handle.datasync())
      .catch((error: unknown) => void (this.#error ??= error));
  }

  /** Waits until the system has everything. */
  async done(): Promise<void> {
    await Promise.all(this.#pending);
    this.#check();
  }

  /** Waits until the disk has what it was told to begin with. */
  async flushed(): Promise<void> {
    await this.#flush;
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
