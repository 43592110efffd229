// shardWriter.ts: writes one shard of the result: what is unchanged is copied by other threads while the rest is computed.
import { open, type FileHandle } from 'node:fs/promises';
import type { AttentionModule } from '../../heads/attentionModule.ts';
import type { SafetensorsFile } from '../../format/file.ts';
import { mixTensor } from '../../heads/headMix.ts';
import type { ModuleMaps } from '../mapper.ts';
import type { ConversionPlan, TensorPlan } from '../plan.ts';
import { NO_HASH, type SourceHashes } from '../provenance.ts';
import { serializeHeader, type TensorSpec } from '../../format/safetensors.ts';
import type { Copier, Stretch } from './copier.ts';
import { allocate } from '../../../files/memory.ts';
import { hashInWorker, type FileRange } from './hash.ts';
import type { Shard } from './modelFolder.ts';
import { checkUnchanged, reopenShard } from './fileStates.ts';

export interface ShardJob {
  readonly shard: Shard;
  readonly plan: ConversionPlan;
  readonly mapsOf: (module: AttentionModule) => Promise<ModuleMaps>;
  readonly copier: Copier;
  /** The file to write; it must not exist. */
  readonly target: string;
  /** True to hash the whole source file too, which takes longer than copying it. */
  readonly hashFile: boolean;
  /** Metadata of the result, once the source's hashes are known. Its JSON must be as long for any hashes. */
  readonly metadata: (hashes: SourceHashes) => Readonly<Record<string, string>>;
  /** Called with the source bytes that were dealt with since the last call; with `hashFile` each counts twice. */
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
 * file is not whole, and it is the caller's to remove and to name: errors of the system come as they are.
 */
export async function writeShard(job: ShardJob): Promise<WrittenShard> {
  const source = await reopenShard(job.shard);
  try {
    const handle = await open(job.target, 'wx');
    try {
      const hashes = await write(job, source, handle);
      await checkUnchanged(job.shard);
      return { hashes, settle: () => settle(handle) };
    } catch (cause) {
      await handle.close();
      throw cause;
    }
  } finally {
    await source.close();
  }
}

async function settle(handle: FileHandle): Promise<void> {
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What a shard's tensors are in the result, in their order. */
export function resultSpecs(
  { header }: Shard,
  { tensors }: ConversionPlan,
): (TensorSpec & { readonly bytes: number })[] {
  return [...header.tensors.keys()].map((name) => {
    const { tensor, to, bytes } = tensors.get(name)!;
    return { name, dtype: tensor.dtype, shape: to, bytes };
  });
}

async function write(job: ShardJob, source: SafetensorsFile, handle: FileHandle): Promise<SourceHashes> {
  const specs = resultSpecs(job.shard, job.plan);
  const header = (hashes: SourceHashes) => serializeHeader(specs, job.metadata(hashes), job.target);
  const { byteLength } = header({ rewritten: NO_HASH, ...(job.hashFile && { file: NO_HASH }) });
  const { stretches, rewrites } = layOut(job, source, byteLength);
  const { path, bytes: size } = job.shard;
  // The header and what is computed from; and the whole file, if that is asked for.
  const parts = hashInWorker(path, [
    { begin: 0, length: source.header.dataStart },
    ...rewrites.map(({ begin, length }) => ({ begin, length })),
  ]);
  const whole = job.hashFile ? hashInWorker(path, [{ begin: 0, length: size }], job.onBytes) : undefined;
  const copied = job.copier.copy({ from: path, to: job.target, stretches, onBytes: job.onBytes });
  // It is awaited last; until then a failure is no unhandled rejection.
  copied.catch(() => undefined);
  try {
    await writeRewritten(job, source, handle, rewrites);
    await copied;
    const hashes = { rewritten: await parts.sha256, ...(whole && { file: await whole.sha256 }) };
    const bytes = header(hashes);
    if (bytes.byteLength !== byteLength) throw new Error('the header changed its length with the hashes');
    await writeAll(handle, bytes, 0);
    job.onBytes(source.header.dataStart);
    return hashes;
  } finally {
    job.copier.stop();
    await copied.catch(() => undefined);
    parts.stop();
    whole?.stop();
  }
}

/** A tensor that is computed, and its place in source and result. */
interface Rewrite extends FileRange {
  readonly plan: TensorPlan;
  readonly to: number;
}

/** Where everything goes. Neighbouring tensors that are copied are one stretch. */
function layOut(
  { plan }: ShardJob,
  source: SafetensorsFile,
  headerBytes: number,
): { stretches: Stretch[]; rewrites: Rewrite[] } {
  const stretches: Stretch[] = [];
  const rewrites: Rewrite[] = [];
  let to = headerBytes;
  for (const info of source.header.tensors.values()) {
    const planned = plan.tensors.get(info.name)!;
    const [begin, length] = [source.header.dataStart + info.begin, info.end - info.begin];
    const last = stretches.at(-1);
    if (planned.rewrite) rewrites.push({ plan: planned, begin, length, to });
    else if (last && last.begin + last.length === begin)
      stretches.splice(-1, 1, { ...last, length: last.length + length });
    else stretches.push({ begin, length, to });
    to += planned.bytes;
  }
  return { stretches, rewrites };
}

/** Computes tensor by tensor. While one is computed the one before is written and the next is read. */
async function writeRewritten(
  job: ShardJob,
  source: SafetensorsFile,
  handle: FileHandle,
  rewrites: readonly Rewrite[],
): Promise<void> {
  const buffers = readBuffers(rewrites);
  const read = (at: number): Promise<Uint8Array> | undefined => {
    const rewrite = rewrites[at];
    if (!rewrite) return undefined;
    const bytes = new Uint8Array(buffers[at % buffers.length]!, 0, rewrite.length);
    const done = source.readBytes(rewrite.begin, bytes).then(() => bytes);
    // It is awaited in its turn; until then a failure is no unhandled rejection.
    done.catch(() => undefined);
    return done;
  };
  let [next, written]: [Promise<Uint8Array> | undefined, Promise<void>] = [read(0), Promise.resolve()];
  for (const [i, { plan, length, to }] of rewrites.entries()) {
    const bytes = await (next ?? read(i))!;
    next = buffers.length > 1 ? read(i + 1) : undefined;
    const { module, part } = plan.rewrite!;
    const { regrouping, maps } = await job.mapsOf(module);
    const out = mixTensor(part, bytes, regrouping, maps);
    await written;
    written = writeAll(handle, out, to);
    written.catch(() => undefined);
    job.onBytes(length);
  }
  await written;
}

/** Largest tensor of which two are held at a time. */
const TWO_AT_A_TIME = 2 ** 27;

/** Memory for the tensors, used again and again: fresh memory is cleared page by page, which takes long. */
function readBuffers(rewrites: readonly Rewrite[]): ArrayBuffer[] {
  const largest = rewrites.reduce((most, { length }) => Math.max(most, length), 0);
  return Array.from({ length: largest <= TWO_AT_A_TIME ? 2 : 1 }, () => allocate(largest));
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let written = 0; written < bytes.byteLength;) {
    const length = Math.min(bytes.byteLength - written, 2 ** 28);
    const { bytesWritten } = await handle.write(bytes, written, length, at + written);
    written += bytesWritten;
  }
}
