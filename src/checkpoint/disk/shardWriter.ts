// shardWriter.ts: writes one shard of the result: one pass over the source shard, reading, computing and writing overlapped.
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import type { AttentionModule } from '../attention.ts';
import { CheckpointError } from '../checkpointError.ts';
import { SafetensorsFile } from '../file.ts';
import { mixTensor } from '../headMix.ts';
import type { ModuleMaps } from '../mapper.ts';
import type { ConversionPlan, TensorPlan } from '../plan.ts';
import { NO_HASH, type SourceHashes } from '../provenance.ts';
import { serializeHeader, tensorByteLength, type TensorInfo } from '../safetensors.ts';
import type { Shard } from './modelFolder.ts';
import { reason } from './modelFolder.ts';
import { hashInWorker } from './hash.ts';

export interface ShardJob {
  readonly shard: Shard;
  readonly plan: ConversionPlan;
  readonly mapsOf: (module: AttentionModule) => Promise<ModuleMaps>;
  /** The file to write; it must not exist. */
  readonly target: string;
  /** True to hash the whole source file too, which takes longer than copying it. */
  readonly hashFile: boolean;
  /** Metadata of the result, once the source's hashes are known. Its JSON must be as long for any hashes. */
  readonly metadata: (hashes: SourceHashes) => Readonly<Record<string, string>>;
  /** Called with the source bytes that were dealt with since the last call. */
  readonly onBytes: (bytes: number) => void;
}

const PIECE = 8 * 2 ** 20;
/** Bytes that are read ahead of the work, and that may wait to be written. */
const AHEAD = 4 * PIECE;
/** Bytes after which the disk is told to begin, so that it is not idle first and waited for last. */
const FLUSH = 32 * PIECE;

/** A stretch of the source file. Copied stretches have a place in the result; a tensor's are gathered in its buffer. */
interface Piece {
  readonly begin: number;
  readonly length: number;
  readonly copyTo?: number;
  readonly tensor?: TensorJob;
}

interface TensorJob {
  readonly plan: TensorPlan;
  readonly source: TensorInfo;
  readonly begin: number;
  readonly to: number;
}

/**
 * Writes a shard and returns the source's hashes. The result is on disk when this returns. After a failure the file is
 * not whole, and it is the caller's to remove.
 */
export async function writeShard(job: ShardJob): Promise<SourceHashes> {
  const source = await SafetensorsFile.open(job.shard.path);
  try {
    const handle = await open(job.target, 'wx');
    try {
      return await write(job, source, handle);
    } catch (cause) {
      if (cause instanceof CheckpointError) throw cause;
      throw new CheckpointError(`${job.target}: could not be written: ${reason(cause)}`, { cause });
    } finally {
      await handle.close();
    }
  } finally {
    await source.close();
  }
}

async function write(job: ShardJob, source: SafetensorsFile, handle: FileHandle): Promise<SourceHashes> {
  const specs = [...source.header.tensors.values()].map((info) => {
    const { tensor, to } = job.plan.tensors.get(info.name)!;
    return { name: tensor.name, dtype: tensor.dtype, shape: to };
  });
  const header = (hashes: SourceHashes) => serializeHeader(specs, job.metadata(hashes), job.target);
  const { byteLength } = header({ rewritten: NO_HASH, ...(job.hashFile && { file: NO_HASH }) });
  const file = job.hashFile ? hashInWorker(job.shard.path) : undefined;
  try {
    const rewritten = await writeTensors(job, source, handle, byteLength);
    const hashes = { rewritten, ...(file && { file: await file.sha256 }) };
    const bytes = header(hashes);
    if (bytes.byteLength !== byteLength) throw new Error('the header changed its length with the hashes');
    await writeAll(handle, bytes, 0);
    await handle.sync();
    return hashes;
  } finally {
    file?.stop();
  }
}

/** Everything behind the header. Returns the SHA-256 of the source's header and of the tensors that were rewritten. */
async function writeTensors(
  job: ShardJob,
  source: SafetensorsFile,
  handle: FileHandle,
  headerBytes: number,
): Promise<string> {
  const hash = createHash('sha256');
  const head = new Uint8Array(source.header.dataStart);
  await source.readBytes(0, head);
  hash.update(head);
  const memory = new Memory();
  const writes = new Writes(handle, memory);
  for await (const { piece, bytes } of readAhead(source, piecesOf(job, source, headerBytes), memory)) {
    job.onBytes(bytes.byteLength);
    if (piece.copyTo !== undefined) {
      await writes.add(bytes, piece.copyTo);
      continue;
    }
    hash.update(bytes);
    const { begin, to } = piece.tensor!;
    if (piece.begin + piece.length < begin + sizeOf(piece.tensor!)) continue;
    await writes.add(await rewrite(job, piece.tensor!, bytes), to);
    memory.give(bytes.buffer as ArrayBuffer);
  }
  await writes.done();
  return hash.digest('hex');
}

function sizeOf({ source }: TensorJob): number {
  return source.end - source.begin;
}

/** The result's bytes of a tensor that was read whole; `last` is the last piece of its buffer. */
async function rewrite(job: ShardJob, { plan, source }: TensorJob, last: Uint8Array): Promise<Uint8Array> {
  const bytes = new Uint8Array(last.buffer, 0, source.end - source.begin);
  const { module, part } = plan.rewrite!;
  const { regrouping, maps } = await job.mapsOf(module);
  return mixTensor(part, bytes, regrouping, maps);
}

/** The source's tensors in pieces, in their order; neighbouring ones that are copied are one stretch. */
function piecesOf({ plan }: ShardJob, source: SafetensorsFile, headerBytes: number): Piece[] {
  const { dataStart, tensors } = source.header;
  const pieces: Piece[] = [];
  let to = headerBytes;
  let stretch: { begin: number; end: number; copyTo: number } | undefined;
  const flush = () => {
    if (stretch) pieces.push(...cut(stretch.begin, stretch.end, { copyTo: stretch.copyTo }));
    stretch = undefined;
  };
  for (const info of tensors.values()) {
    const planned = plan.tensors.get(info.name)!;
    const [begin, end] = [dataStart + info.begin, dataStart + info.end];
    if (planned.rewrite) {
      flush();
      pieces.push(...cut(begin, end, { tensor: { plan: planned, source: info, begin, to } }));
    } else if (stretch) stretch.end = end;
    else stretch = { begin, end, copyTo: to };
    to += tensorByteLength(info.dtype, planned.to);
  }
  flush();
  return pieces;
}

function cut(begin: number, end: number, what: { copyTo?: number; tensor?: TensorJob } = {}): Piece[] {
  const count = Math.ceil((end - begin) / PIECE);
  return Array.from({ length: count }, (_, i) => ({
    begin: begin + i * PIECE,
    length: Math.min(PIECE, end - begin - i * PIECE),
    ...(what.copyTo !== undefined && { copyTo: what.copyTo + i * PIECE }),
    ...(what.tensor && { tensor: what.tensor }),
  }));
}

/** The pieces with their bytes, in order, read a little ahead of the consumer. */
async function* readAhead(
  source: SafetensorsFile,
  pieces: readonly Piece[],
  memory: Memory,
): AsyncGenerator<{ piece: Piece; bytes: Uint8Array }> {
  const queue: { piece: Piece; bytes: Uint8Array; read: Promise<void> }[] = [];
  const buffers = new Map<TensorJob, ArrayBuffer>();
  let next = 0;
  let ahead = 0;
  try {
    while (next < pieces.length || queue.length > 0) {
      while (next < pieces.length && ahead < AHEAD) {
        const piece = pieces[next++]!;
        const bytes = memoryFor(piece, buffers, memory);
        const read = source.readBytes(piece.begin, bytes);
        // It is awaited in its turn; until then a failure is no unhandled rejection.
        read.catch(() => undefined);
        queue.push({ piece, bytes, read });
        ahead += piece.length;
      }
      const { piece, bytes, read } = queue.shift()!;
      await read;
      ahead -= piece.length;
      yield { piece, bytes };
    }
  } finally {
    // The file must not be closed under a read.
    await Promise.allSettled(queue.map(({ read }) => read));
  }
}

function memoryFor(
  { tensor, begin, length }: Piece,
  buffers: Map<TensorJob, ArrayBuffer>,
  memory: Memory,
): Uint8Array {
  if (!tensor) return new Uint8Array(memory.take(PIECE), 0, length);
  const buffer = buffers.get(tensor) ?? memory.take(sizeOf(tensor));
  const at = begin - tensor.begin;
  if (at + length < sizeOf(tensor)) buffers.set(tensor, buffer);
  else buffers.delete(tensor);
  return new Uint8Array(buffer, at, length);
}

/** Buffers that are used again: fresh memory is cleared page by page, which takes as long as filling it. */
class Memory {
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
class Writes {
  readonly #handle: FileHandle;
  readonly #memory: Memory;
  readonly #pending = new Set<Promise<void>>();
  #bytes = 0;
  #unflushed = 0;
  #flush: Promise<void> = Promise.resolve();
  #error: unknown;

  constructor(handle: FileHandle, memory: Memory) {
    this.#handle = handle;
    this.#memory = memory;
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
        if (bytes.buffer.byteLength === PIECE) this.#memory.give(bytes.buffer as ArrayBuffer);
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

  /** Waits until everything is written. */
  async done(): Promise<void> {
    await Promise.all(this.#pending);
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
