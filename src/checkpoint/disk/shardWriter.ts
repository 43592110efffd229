// shardWriter.ts: writes one shard of the result: one pass over the source shard, reading, computing and writing overlapped.
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import type { AttentionModule } from '../attention.ts';
import { CheckpointError } from '../checkpointError.ts';
import { SafetensorsFile } from '../file.ts';
import { mixTensor } from '../headMix.ts';
import type { ModuleMaps } from '../mapper.ts';
import type { ConversionPlan } from '../plan.ts';
import { NO_HASH, type SourceHashes } from '../provenance.ts';
import { serializeHeader } from '../safetensors.ts';
import type { Shard } from './modelFolder.ts';
import { reason } from './modelFolder.ts';
import { hashInWorker } from './hash.ts';
import { piecesOf, readAhead, sizeOf, type TensorJob } from './pieces.ts';
import { Writes, type Memory } from './writes.ts';

export interface ShardJob {
  readonly shard: Shard;
  readonly plan: ConversionPlan;
  readonly mapsOf: (module: AttentionModule) => Promise<ModuleMaps>;
  /** The file to write; it must not exist. */
  readonly target: string;
  /** Buffers that shards use one after the other. */
  readonly memory: Memory;
  /** True to hash the whole source file too, which takes longer than copying it. */
  readonly hashFile: boolean;
  /** Metadata of the result, once the source's hashes are known. Its JSON must be as long for any hashes. */
  readonly metadata: (hashes: SourceHashes) => Readonly<Record<string, string>>;
  /** Called with the source bytes that were dealt with since the last call. */
  readonly onBytes: (bytes: number) => void;
}

/** A shard that is written but may not be on disk yet. */
export interface WrittenShard {
  readonly hashes: SourceHashes;
  /** Waits until it is on disk and closes the file; must be called, and once. */
  readonly settle: () => Promise<void>;
}

/**
 * Writes a shard. The disk may be waited for while the next one is computed. After a failure, here or in `settle`, the
 * file is not whole, and it is the caller's to remove.
 */
export async function writeShard(job: ShardJob): Promise<WrittenShard> {
  const source = await SafetensorsFile.open(job.shard.path);
  try {
    const handle = await open(job.target, 'wx');
    const writes = new Writes(handle, job.memory);
    try {
      const hashes = await write(job, source, writes);
      return { hashes, settle: () => settle(job, handle) };
    } catch (cause) {
      await handle.close();
      throw writeError(job, cause);
    }
  } finally {
    await source.close();
  }
}

async function settle(job: ShardJob, handle: FileHandle): Promise<void> {
  try {
    await handle.sync();
  } catch (cause) {
    throw writeError(job, cause);
  } finally {
    await handle.close();
  }
}

function writeError({ target }: ShardJob, cause: unknown): CheckpointError {
  if (cause instanceof CheckpointError) return cause;
  return new CheckpointError(`${target}: could not be written: ${reason(cause)}`, { cause });
}

async function write(job: ShardJob, source: SafetensorsFile, writes: Writes): Promise<SourceHashes> {
  const specs = [...source.header.tensors.values()].map((info) => {
    const { tensor, to } = job.plan.tensors.get(info.name)!;
    return { name: tensor.name, dtype: tensor.dtype, shape: to };
  });
  const header = (hashes: SourceHashes) => serializeHeader(specs, job.metadata(hashes), job.target);
  const { byteLength } = header({ rewritten: NO_HASH, ...(job.hashFile && { file: NO_HASH }) });
  const file = job.hashFile ? hashInWorker(job.shard.path) : undefined;
  try {
    const rewritten = await writeTensors(job, source, writes, byteLength);
    const hashes = { rewritten, ...(file && { file: await file.sha256 }) };
    const bytes = header(hashes);
    if (bytes.byteLength !== byteLength) throw new Error('the header changed its length with the hashes');
    await writes.add(bytes, 0);
    await writes.done();
    return hashes;
  } finally {
    file?.stop();
  }
}

/** Everything behind the header. Returns the SHA-256 of the source's header and of the tensors that were rewritten. */
async function writeTensors(
  job: ShardJob,
  source: SafetensorsFile,
  writes: Writes,
  headerBytes: number,
): Promise<string> {
  const hash = createHash('sha256');
  const head = new Uint8Array(source.header.dataStart);
  await source.readBytes(0, head);
  hash.update(head);
  const { memory } = writes;
  for await (const { piece, bytes } of readAhead(source, piecesOf(job.plan, source, headerBytes), memory)) {
    job.onBytes(bytes.byteLength);
    if (piece.copyTo !== undefined) {
      await writes.add(bytes, piece.copyTo);
      continue;
    }
    hash.update(bytes);
    const { begin, to } = piece.tensor!;
    if (piece.begin + piece.length < begin + sizeOf(piece.tensor!)) continue;
    await writes.add(await rewrite(job, piece.tensor!, bytes), to);
    memory.give(bytes.buffer);
  }
  return hash.digest('hex');
}

/** The result's bytes of a tensor that was read whole; `last` is the last piece of its buffer. */
async function rewrite(job: ShardJob, { plan, source }: TensorJob, last: Uint8Array): Promise<Uint8Array> {
  const bytes = new Uint8Array(last.buffer, 0, source.end - source.begin);
  const { module, part } = plan.rewrite!;
  const { regrouping, maps } = await job.mapsOf(module);
  return mixTensor(part, bytes, regrouping, maps);
}
