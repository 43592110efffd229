// job.ts: a whole conversion on disk: shard by shard into a folder beside the target, which takes its name when it is whole.
import { messageOf } from '../../../device/errors.ts';
import { createHash } from 'node:crypto';
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryName } from '../../../files/replaceFile.ts';
import { CheckpointError, fail, quote } from '../../format/checkpointError.ts';
import { checkBytes } from '../../../files/memory.ts';
import { updateConfig } from '../configUpdate.ts';
import { createMapper, type MapperSources } from '../mapper.ts';
import type { ConversionPlan } from '../plan.ts';
import { NO_HASH, shardMetadata, type Origin, type SourceHashes } from '../provenance.ts';
import { serializeHeader, specByteLength } from '../../format/safetensors.ts';
import { Copier } from './copier.ts';
import type { ModelFolder, Shard } from './modelFolder.ts';
import {
  checkSpace,
  claimPartial,
  claimState,
  exists,
  isFree,
  JOURNAL,
  partialFolder,
  readJournal,
  recordedFingerprint,
  releasePartial,
  writeWhole,
} from './partial.ts';
import { resultSpecs, writeShard } from './shardWriter.ts';
import { checkHashes, stateOf } from './fileStates.ts';

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
  /** Source bytes dealt with, of those this call deals with; each counts twice where whole files are hashed too. */
  readonly done: number;
  readonly total: number;
}

/** Which shards a worker converts: those whose number is `index` modulo `of`. */
export interface Share {
  readonly index: number;
  readonly of: number;
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
    attention.format.name,
    attention.format.modules,
    attention.positions,
    model.configText,
    shards,
  ]);
  return createHash('sha256').update(text).digest('hex');
}

/** Converts the worker's shards that are not done yet; returns how many were done before. */
export async function convertShards(
  job: ConversionJob,
  share: Share,
): Promise<{ converted: number; skipped: number }> {
  const partial = partialFolder(job.out);
  const fingerprint = fingerprintOf(job);
  checkPlan(job);
  await claimPartial(partial, fingerprint);
  try {
    // A worker that comes late must not begin anew beside the result.
    if (!(await isFree(job.out))) fail(`${job.out}: was finished by another run meanwhile`);
    await claimState(partial, stateOf(job.model));
    await checkHashes(job, (name) => readJournal(join(partial, name)), partial);
    const own = job.model.shards.filter((_, i) => i % share.of === share.index);
    const todo: Shard[] = [];
    for (const shard of own) if (!(await isDone(job, shard, fingerprint))) todo.push(shard);
    await checkSpace(
      partial,
      todo.reduce((sum, shard) => sum + resultBytes(job, shard), 0),
    );
    await convertAll(job, todo);
    return { converted: todo.length, skipped: own.length - todo.length };
  } catch (cause) {
    await releasePartial(partial, fingerprint);
    const isFinished = !(await exists(partial)) && (await recordedFingerprint(job.out)) === fingerprint;
    if (isFinished) fail(`${job.out}: was finished by another run meanwhile`, { cause });
    throw cause;
  }
}

async function convertAll(job: ConversionJob, shards: readonly Shard[]): Promise<void> {
  const total = shards.reduce((sum, shard) => sum + shard.bytes, 0) * (job.hashFiles ? 2 : 1);
  const mapsOf = createMapper(job.plan, job.sources);
  const copier = new Copier();
  let done = 0;
  // While one shard reaches the disk the next is computed.
  let settling: Promise<void> = Promise.resolve();
  try {
    for (const shard of shards) {
      const onBytes = (bytes: number) => {
        done += bytes;
        job.onProgress({ shard: shard.name, done, total });
      };
      const settle = await convertShard({ job, shard, mapsOf, copier, onBytes });
      const before = settling;
      settling = settle();
      // It is awaited a shard later; until then a failure is no unhandled rejection.
      settling.catch(() => undefined);
      await before;
    }
  } finally {
    copier.close();
    await settling;
  }
}

interface OneShard {
  readonly job: ConversionJob;
  readonly shard: Shard;
  readonly mapsOf: ReturnType<typeof createMapper>;
  readonly copier: Copier;
  readonly onBytes: (bytes: number) => void;
}

/** Writes a shard; what is returned waits for the disk and gives the shard its name. */
async function convertShard({ job, shard, mapsOf, copier, onBytes }: OneShard): Promise<() => Promise<void>> {
  const { plan, hashFiles: hashFile } = job;
  const final = join(partialFolder(job.out), shard.name);
  const target = temporaryName(final);
  const orRemove = async <T>(act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (cause) {
      // The first failure is the one to report.
      await rm(target, { force: true }).catch(() => undefined);
      if (cause instanceof CheckpointError) throw cause;
      return fail(`${final}: could not be written: ${messageOf(cause)}`, { cause });
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
      await writeWhole(final + JOURNAL, JSON.stringify(written.hashes));
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

/** Throws, before anything is written, when config.json cannot say what the result is, or a tensor is too large for memory. */
export function checkPlan({ model, plan }: Pick<ConversionJob, 'model' | 'plan'>): void {
  if (!changesNothing(plan)) updateConfig(model.configText, plan, model.path);
  for (const { tensor, rewrite, bytes } of plan.tensors.values()) {
    if (!rewrite) continue;
    try {
      checkBytes(Math.max(specByteLength(tensor) ?? 0, bytes));
    } catch (cause) {
      const what = `${tensor.dtype} [${tensor.shape.join(', ')}] ${messageOf(cause)}`;
      fail(`${model.path}: tensor ${quote(tensor.name)}: ${what}`, { cause });
    }
  }
}

/** True for g = 1: the result is the source, byte for byte. */
export function changesNothing(plan: ConversionPlan): boolean {
  return [...plan.tensors.values()].every(({ rewrite }) => rewrite === undefined);
}

function resultBytes(job: ConversionJob, shard: Shard): number {
  const specs = resultSpecs(shard, job.plan);
  const noHashes = { rewritten: NO_HASH, ...(job.hashFiles && { file: NO_HASH }) };
  const data = specs.reduce((sum, { bytes }) => sum + bytes, 0);
  return serializeHeader(specs, metadataOf(job, shard, noHashes), shard.name).byteLength + data;
}

/** True when the shard's result is there and whole, in a folder of this conversion. */
export async function isDone(job: ConversionJob, shard: Shard, fingerprint: string): Promise<boolean> {
  const partial = partialFolder(job.out);
  const path = join(partial, shard.name);
  // The finish removes the journals once the record is there, just before the folder gets its name.
  const done =
    (await readJournal(path)) !== undefined || (await recordedFingerprint(partial)) === fingerprint;
  const found = await stat(path).catch(() => undefined);
  return done && found?.size === resultBytes(job, shard);
}
