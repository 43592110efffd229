// shardWriter.ts: writes one shard of the result: one pass over the source shard, reading, computing and writing overlapped.
import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import type { AttentionModule } from '../attention.ts';
import { CheckpointError } from '../checkpointError.ts';
import { SafetensorsFile } from '../file.ts';
import { mixTensor } from '../headMix.ts';
import type { ModuleMaps } from '../mapper.ts';
import type { ConversionPlan, TensorPlan } from '../plan.ts';
import { serializeHeader, tensorByteLength, type TensorInfo } from '../safetensors.ts';
import type { Shard } from './modelFolder.ts';
import { reason } from './modelFolder.ts';

export interface ShardJob {
  readonly shard: Shard;
  readonly plan: ConversionPlan;
  readonly mapsOf: (module: AttentionModule) => Promise<ModuleMaps>;
  /** The file to write; it must not exist. */
  readonly target: string;
  /** Metadata of the result, once the source's SHA-256 is known. Its JSON must be as long for any hash. */
  readonly metadata: (sha256: string) => Readonly<Record<string, string>>;
  /** Called with the source bytes that were dealt with since the last call. */
  readonly onBytes: (bytes: number) => void;
}

const PIECE = 8 * 2 ** 20;
/** Bytes that are read ahead of the work, and that may wait to be written. */
const AHEAD = 4 * PIECE;

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
 * Writes a shard and returns the SHA-256 of the whole source file. The result is on disk when this returns. After a
 * failure the file is not whole, and it is the caller's to remove.
 */
export async function writeShard(job: ShardJob): Promise<string> {
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

async function write(job: ShardJob, source: SafetensorsFile, handle: FileHandle): Promise<string> {
  const specs = [...source.header.tensors.values()].map((info) => {
    const { tensor, to } = job.plan.tensors.get(info.name)!;
    return { name: tensor.name, dtype: tensor.dtype, shape: to };
  });
  const header = (sha256: string) => serializeHeader(specs, job.metadata(sha256), job.target);
  const { byteLength } = header('0'.repeat(64));
  const hash = createHash('sha256');
  const writes = new Writes(handle);
  for await (const { piece, bytes } of readAhead(source, piecesOf(job, source, byteLength))) {
    hash.update(bytes);
    job.onBytes(bytes.byteLength);
    if (piece.copyTo !== undefined) await writes.add(bytes, piece.copyTo);
    if (piece.tensor && piece.begin + piece.length === piece.tensor.begin + sizeOf(piece.tensor)) {
      await writes.add(await rewritten(job, piece.tensor, bytes), piece.tensor.to);
    }
  }
  await writes.done();
  return finish(handle, header, hash, byteLength);
}

async function finish(
  handle: FileHandle,
  header: (sha256: string) => Uint8Array,
  hash: Hash,
  byteLength: number,
): Promise<string> {
  const sha256 = hash.digest('hex');
  const bytes = header(sha256);
  if (bytes.byteLength !== byteLength) throw new Error('the header changed its length with the hash');
  await writeAll(handle, bytes, 0);
  await handle.sync();
  return sha256;
}

function sizeOf({ source }: TensorJob): number {
  return source.end - source.begin;
}

/** The result's bytes of a tensor that was read whole; `last` is the last piece of its buffer. */
async function rewritten(job: ShardJob, { plan, source }: TensorJob, last: Uint8Array): Promise<Uint8Array> {
  const bytes = new Uint8Array(last.buffer, 0, source.end - source.begin);
  const { module, part } = plan.rewrite!;
  const { regrouping, maps } = await job.mapsOf(module);
  return mixTensor(part, bytes, regrouping, maps);
}

/** The source file from its first byte to its last, in pieces; neighbouring tensors that are copied are one stretch. */
function piecesOf({ plan }: ShardJob, source: SafetensorsFile, headerBytes: number): Piece[] {
  const { dataStart, tensors } = source.header;
  const pieces: Piece[] = [...cut(0, dataStart)];
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
): AsyncGenerator<{ piece: Piece; bytes: Uint8Array }> {
  const queue: { piece: Piece; bytes: Uint8Array; read: Promise<void> }[] = [];
  const buffers = new Map<TensorJob, ArrayBuffer>();
  let next = 0;
  let ahead = 0;
  try {
    while (next < pieces.length || queue.length > 0) {
      while (next < pieces.length && ahead < AHEAD) {
        const piece = pieces[next++]!;
        const bytes = memoryFor(piece, buffers);
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

function memoryFor({ tensor, begin, length }: Piece, buffers: Map<TensorJob, ArrayBuffer>): Uint8Array {
  if (!tensor) return new Uint8Array(length);
  const buffer = buffers.get(tensor) ?? new ArrayBuffer(sizeOf(tensor));
  const at = begin - tensor.begin;
  if (at + length < sizeOf(tensor)) buffers.set(tensor, buffer);
  else buffers.delete(tensor);
  return new Uint8Array(buffer, at, length);
}

/** Writes that are under way: a few at a time, the first failure thrown by the next call. */
class Writes {
  readonly #handle: FileHandle;
  readonly #pending = new Set<Promise<void>>();
  #bytes = 0;
  #error: unknown;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async add(bytes: Uint8Array, at: number): Promise<void> {
    while (this.#bytes > 0 && this.#bytes + bytes.byteLength > AHEAD) await Promise.race(this.#pending);
    this.#check();
    this.#bytes += bytes.byteLength;
    const write = writeAll(this.#handle, bytes, at)
      .catch((error: unknown) => (this.#error ??= error))
      .then(() => {
        this.#bytes -= bytes.byteLength;
        this.#pending.delete(write);
      });
    this.#pending.add(write);
  }

  async done(): Promise<void> {
    await Promise.all(this.#pending);
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
