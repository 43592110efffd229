// job.ts: a whole conversion on disk: shard by shard into a folder beside the target, which takes its name when it is whole.
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, realpath, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { CheckpointError, fail, isObject } from '../checkpointError.ts';
import { createMapper, type MapperSources } from '../mapper.ts';
import type { ConversionPlan } from '../plan.ts';
import { NO_HASH, shardMetadata, type Origin, type SourceHashes } from '../provenance.ts';
import { serializeHeader, tensorByteLength } from '../safetensors.ts';
import { Copier } from './copier.ts';
import { reason, type ModelFolder, type Shard } from './modelFolder.ts';
import { writeShard } from './shardWriter.ts';

export interface ConversionJob {
  readonly model: ModelFolder;
  readonly plan: ConversionPlan;
  readonly sources: MapperSources;
  readonly origin: Origin;
  /** The folder to make. */
  readonly out: string;
  /** Hash whole source files too. */
  readonly hashFiles: boolean;
  readonly onProgress: (progress: Progress) => void;
}

export interface Progress {
  readonly shard: string;
  /** Source bytes dealt with, of those this call deals with. */
  readonly done: number;
  readonly total: number;
}

/** Which shards a worker converts: those whose number is `index` modulo `of`. */
export interface Share {
  readonly index: number;
  readonly of: number;
}

/** File in the result that says how it was made, and to a later run that it is whole. */
export const RECORD = 'gqa-conversion.json';
export const JOURNAL = '.gqa-done.json';

/** Where the shards gather until the result is whole. */
export function partialFolder(out: string): string {
  return `${out}.partial`;
}

/** What tells one conversion from another: source, options, calibration and tool. Shards of two never mix. */
export function fingerprintOf({ model, plan, origin, hashFiles }: ConversionJob): string {
  const shards = model.shards.map(({ name, bytes, header }) => [
    name,
    bytes,
    [...header.tensors.values()],
    header.metadata,
  ]);
  const { options, attention } = plan;
  const text = JSON.stringify([
    origin,
    hashFiles,
    options,
    attention.family.name,
    attention.family.modules,
    attention.positions,
    model.configText,
    shards,
  ]);
  return createHash('sha256').update(text).digest('hex');
}

/** Checks that the target can be made: not the source nor inside it, not there yet. True when this very result is there. */
export async function checkTarget(job: ConversionJob): Promise<boolean> {
  const { model, out } = job;
  const [from, to] = [await realpath(model.path), await realTarget(out)];
  if (to === from) fail(`${out}: the target is the source; expected another folder`);
  if (to.startsWith(from + sep))
    fail(`${out}: the target lies inside the source; expected a folder elsewhere`);
  if (from.startsWith(to + sep))
    fail(`${out}: the source lies inside the target; expected a folder elsewhere`);
  if (!(await exists(out))) return false;
  if ((await recordedFingerprint(out)) === fingerprintOf(job)) return true;
  return fail(`${out}: is there already; expected a name that is free`);
}

async function realTarget(out: string): Promise<string> {
  const parent = dirname(resolve(out));
  const real = await realpath(parent).catch((cause: unknown) =>
    fail(`${out}: the folder ${parent} cannot be used: ${reason(cause)}`, { cause }),
  );
  const target = join(real, basename(resolve(out)));
  return realpath(target).catch(() => target);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function recordedFingerprint(folder: string): Promise<unknown> {
  try {
    const record: unknown = JSON.parse(await readFile(join(folder, RECORD), 'utf8'));
    return isObject(record) ? record['fingerprint'] : undefined;
  } catch {
    return undefined;
  }
}

/** What the journal says of a finished shard. */
interface Done {
  readonly fingerprint: string;
  readonly hashes: SourceHashes;
}

/** Converts the worker's shards that are not done yet; returns how many were done before. */
export async function convertShards(
  job: ConversionJob,
  share: Share,
): Promise<{ converted: number; skipped: number }> {
  const partial = partialFolder(job.out);
  await mkdir(partial, { recursive: true }).catch((cause: unknown) =>
    fail(`${partial}: cannot be made: ${reason(cause)}`, { cause }),
  );
  const fingerprint = fingerprintOf(job);
  const own = job.model.shards.filter((_, i) => i % share.of === share.index);
  const todo: Shard[] = [];
  for (const shard of own) if (!(await isDone(job, shard, fingerprint))) todo.push(shard);
  await checkSpace(
    partial,
    todo.reduce((sum, shard) => sum + resultBytes(job, shard), 0),
  );
  const total = todo.reduce((sum, shard) => sum + shard.bytes, 0);
  const mapsOf = createMapper(job.plan, job.sources);
  const copier = new Copier();
  let done = 0;
  // While one shard reaches the disk the next is computed.
  let settling: Promise<void> = Promise.resolve();
  try {
    for (const shard of todo) {
      const onBytes = (bytes: number) => {
        done += bytes;
        job.onProgress({ shard: shard.name, done, total });
      };
      const settle = await convertShard({ job, shard, mapsOf, copier, onBytes, fingerprint });
      const before = settling;
      settling = settle();
      // It is awaited a shard later; until then a failure is no unhandled rejection.
      settling.catch(() => undefined);
      await before;
    }
  } finally {
    await copier.close();
    await settling;
  }
  return { converted: todo.length, skipped: own.length - todo.length };
}

interface OneShard {
  readonly job: ConversionJob;
  readonly shard: Shard;
  readonly mapsOf: ReturnType<typeof createMapper>;
  readonly copier: Copier;
  readonly onBytes: (bytes: number) => void;
  readonly fingerprint: string;
}

/** Writes a shard; what is returned waits for the disk and gives the shard its name. */
async function convertShard({
  job,
  shard,
  mapsOf,
  copier,
  onBytes,
  fingerprint,
}: OneShard): Promise<() => Promise<void>> {
  const { plan, hashFiles: hashFile } = job;
  const final = join(partialFolder(job.out), shard.name);
  const target = `${final}.${randomUUID().slice(0, 8)}.tmp`;
  const orRemove = async <T>(act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (cause) {
      // The first failure is the one to report.
      await rm(target, { force: true }).catch(() => undefined);
      if (cause instanceof CheckpointError) throw cause;
      return fail(`${final}: could not be written: ${reason(cause)}`, { cause });
    }
  };
  const metadata = (hashes: SourceHashes) => metadataOf(job, shard, hashes);
  const written = await orRemove(() =>
    writeShard({ shard, plan, mapsOf, target, copier, hashFile, metadata, onBytes }),
  );
  return () =>
    orRemove(async () => {
      await written.settle();
      await rename(target, final);
      await writeWhole(
        final + JOURNAL,
        JSON.stringify({ fingerprint, hashes: written.hashes } satisfies Done),
      );
    });
}

/** Metadata of a shard's result; a conversion that changes nothing leaves it as it was. */
function metadataOf(
  { plan, origin }: ConversionJob,
  shard: Shard,
  hashes: SourceHashes,
): Readonly<Record<string, string>> {
  return changesNothing(plan)
    ? shard.header.metadata
    : shardMetadata(shard.header.metadata, plan, origin, hashes);
}

/** True for g = 1: the result is the source, byte for byte. */
export function changesNothing(plan: ConversionPlan): boolean {
  return [...plan.tensors.values()].every(({ rewrite }) => rewrite === undefined);
}

function resultBytes(job: ConversionJob, shard: Shard): number {
  const specs = [...shard.header.tensors.values()].map(({ name, dtype }) => ({
    name,
    dtype,
    shape: job.plan.tensors.get(name)!.to,
  }));
  const noHashes = { rewritten: NO_HASH, ...(job.hashFiles && { file: NO_HASH }) };
  const data = specs.reduce((sum, { dtype, shape }) => sum + tensorByteLength(dtype, shape), 0);
  return serializeHeader(specs, metadataOf(job, shard, noHashes), shard.name).byteLength + data;
}

/** True when the shard's result is there, whole, and of this conversion. One of another conversion is an error. */
export async function isDone(job: ConversionJob, shard: Shard, fingerprint: string): Promise<boolean> {
  const path = join(partialFolder(job.out), shard.name);
  const done = await readJournal(path);
  if (!done) return false;
  if (done.fingerprint !== fingerprint) {
    fail(
      `${path}: was made by another conversion (other options, source or version); finish that one, or remove ${partialFolder(job.out)}`,
    );
  }
  const found = await stat(path).catch(() => undefined);
  return found?.size === resultBytes(job, shard);
}

export async function readJournal(path: string): Promise<Done | undefined> {
  try {
    const done: unknown = JSON.parse(await readFile(path + JOURNAL, 'utf8'));
    const valid = isObject(done) && typeof done['fingerprint'] === 'string' && isObject(done['hashes']);
    return valid ? (done as unknown as Done) : undefined;
  } catch {
    return undefined;
  }
}

/** Throws before anything is written when the folder's disk has too little room. */
export async function checkSpace(folder: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (needed > bavail * bsize) {
    fail(`${folder}: needs ${needed} bytes, but its disk has ${bavail * bsize} left`);
  }
}

/** Writes a small file under its name only when it is whole and on disk. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID().slice(0, 8)}.tmp`;
  await writeFile(temporary, text, { flush: true });
  await rename(temporary, path);
}
