// finish.ts: makes a whole model of converted shards: index, config, the other files, and the name of the target.
import { isRecord } from '../../../device/options.ts';
import { messageOf } from '../../../device/errors.ts';
import { copyFile, mkdir, open, readdir, rename, rm, stat, chmod, chown, rmdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { TEMPORARY } from '../../../files/replaceFile.ts';
import { CheckpointError, fail } from '../../format/checkpointError.ts';
import { findAttention } from '../../find/findAttention.ts';
import { checkConfig, updateConfig } from '../configUpdate.ts';
import { provenance, type SourceHashes } from '../provenance.ts';
import { changesNothing, fingerprintOf, isDone, type ConversionJob } from './job.ts';
import { INDEX } from '../../format/shardIndex.ts';
import { openModelFolder, type ModelFolder } from './modelFolder.ts';
import {
  checkClaim,
  checkState,
  exists,
  JOURNAL,
  MARK,
  partialFolder,
  readJournal,
  RECORD,
  STATE,
  recordedFingerprint,
  writeWhole,
} from './partial.ts';
import { checkUnchanged, fileState, stateOf, type FileStates } from './fileStates.ts';

/** Adds index, config and the other files to the finished shards, and gives the folder its name. */
export async function finishConversion(job: ConversionJob): Promise<void> {
  const { out } = job;
  const partial = partialFolder(out);
  const fingerprint = fingerprintOf(job);
  await checkShards(job, partial, fingerprint);
  await checkState(partial, stateOf(job.model));
  for (const shard of job.model.shards) await checkUnchanged(shard);
  try {
    if ((await recordedFingerprint(partial)) !== fingerprint) await addFiles(job, partial, fingerprint);
    await readBack(job, partial);
    await removeLeftovers(partial);
    await giveName(partial, out);
    await syncFolder(dirname(resolve(out)));
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    fail(`${out}: could not be finished: ${messageOf(cause)}`, { cause });
  }
}

async function checkShards(job: ConversionJob, partial: string, fingerprint: string): Promise<void> {
  const { shards } = job.model;
  if (await exists(partial)) await checkClaim(partial, fingerprint);
  const missing: string[] = [];
  for (const shard of shards) if (!(await isDone(job, shard, fingerprint))) missing.push(shard.name);
  if (missing.length === 0) return;
  const some = missing.slice(0, 5).join(', ');
  fail(`${partial}: ${missing.length} of ${shards.length} shards are not converted yet: ${some}`);
}

/** Everything but the shards; the record comes last. */
async function addFiles(job: ConversionJob, partial: string, fingerprint: string): Promise<void> {
  const { model, plan, origin } = job;
  const copy = (name: string) => copyFile(join(model.path, name), join(partial, name));
  for (const name of otherNames(model)) {
    await mkdir(dirname(join(partial, name)), { recursive: true });
    await copy(name);
  }
  if (changesNothing(plan)) {
    for (const name of ['config.json', ...(model.index ? [INDEX] : [])]) await copy(name);
  } else {
    await writeWhole(join(partial, 'config.json'), updateConfig(model.configText, plan, model.path));
    if (model.index) await writeWhole(join(partial, INDEX), pretty(updateIndex(model.index, job)));
  }
  const hashes: Record<string, SourceHashes> = {};
  for (const { name } of model.shards) hashes[name] = (await readJournal(join(partial, name)))!;
  const record = {
    fingerprint,
    ...provenance(plan, origin),
    source_shards_sha256: hashes,
    source_files: stateOf(model),
    result_files: await resultState(job, partial),
  };
  await writeWhole(join(partial, RECORD), pretty(record));
}

/** Names of the files to copy. The record of an earlier conversion gives way to that of this one. */
function otherNames({ others }: ModelFolder): string[] {
  return others.map(({ name }) => name).filter((name) => name !== RECORD);
}

/** The state of every file of the result but the record. */
async function resultState({ model }: ConversionJob, partial: string): Promise<FileStates> {
  const shards = model.shards.map(({ name }) => name);
  const all = ['config.json', ...(model.index ? [INDEX] : []), ...shards, ...otherNames(model)];
  const states = all.map(async (name) => [name, fileState(await stat(join(partial, name)))] as const);
  return Object.fromEntries(await Promise.all(states));
}

/** Reads the result as any model is read; one that is not what the plan says must not get its name. */
async function readBack({ plan, model: source }: ConversionJob, partial: string): Promise<void> {
  const { attention, options } = plan;
  const model = await openModelFolder(partial);
  const { shape, modules } = findAttention(model.tensors, model.config, partial, {
    ...(attention.format.modelTypes.length === 0 && { format: attention.format }),
  });
  checkConfig(
    model.configText,
    { ...attention.shape, numKvHeads: options.kvHeads },
    join(partial, 'config.json'),
  );
  if (modules.length === attention.modules.length && model.shards.length === source.shards.length) return;
  fail(
    `${partial}: reads as ${modules.length} attention modules of ${shape.layers} layers in ${model.shards.length} shards, where ${attention.modules.length} in ${source.shards.length} were converted`,
  );
}

function pretty(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** The index with the result's size; which shard has which tensor stays. */
function updateIndex(index: Record<string, unknown>, { plan }: ConversionJob): Record<string, unknown> {
  const old = isRecord(index['metadata']) ? index['metadata'] : {};
  const tensors = [...plan.tensors.values()];
  const total = tensors.reduce((sum, { bytes }) => sum + bytes, 0);
  const elements = tensors.reduce((sum, { to }) => sum + to.reduce((a, b) => a * b, 1), 0);
  const metadata = {
    ...old,
    total_size: total,
    ...('total_parameters' in old && { total_parameters: elements }),
  };
  return { ...index, metadata };
}

/** An empty folder of the name gives way, by itself and not by the rename, which Windows refuses; its mode stays. */
async function giveName(partial: string, out: string): Promise<void> {
  const empty = await stat(out).catch(() => undefined);
  if (empty) {
    // Only root can give a folder away; for anyone else the result is their own.
    await chown(partial, empty.uid, empty.gid).catch(() => undefined);
    await chmod(partial, empty.mode & 0o7777);
    await rmdir(out);
  }
  await rename(partial, out);
}

/** Journals, temporary files of workers that were killed, and last the mark, without which no run goes on. */
async function removeLeftovers(partial: string): Promise<void> {
  const names = await readdir(partial);
  const [marks, rest] = [names.filter((name) => name.startsWith(MARK)), names.filter(isLeftover)];
  for (const name of [...rest, ...marks]) await rm(join(partial, name), { force: true });
}

function isLeftover(name: string): boolean {
  return name === STATE || name.endsWith(JOURNAL) || TEMPORARY.test(name);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
