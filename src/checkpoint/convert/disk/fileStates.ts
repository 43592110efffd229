// fileStates.ts: files as they are now, of the source or of the result, to tell whether they are still those of a run before.
import { isRecord } from '../../../device/options.ts';
import { createReadStream, type Stats } from 'node:fs';
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '../../format/checkpointError.ts';
import { SafetensorsFile } from '../../format/file.ts';
import type { SourceHashes } from '../provenance.ts';
import type { ModelFolder, Shard } from './modelFolder.ts';

/** Size and time of last change, in ms since 1970. */
export interface FileState {
  readonly bytes: number;
  readonly modified: number;
}

/** The state of each file by its name in the folder. */
export type FileStates = Readonly<Record<string, FileState>>;

export function fileState({ size, mtimeMs }: Stats): FileState {
  return { bytes: size, modified: mtimeMs };
}

/** The files of a model as they were when its folder was opened. */
export function stateOf({ shards, others }: ModelFolder): FileStates {
  return Object.fromEntries(
    [...shards, ...others].map(({ name, bytes, modified }) => [name, { bytes, modified }]),
  );
}

/** The state that a file of ours holds, or undefined. */
export function parseStates(value: unknown): FileStates | undefined {
  if (!isRecord(value)) return undefined;
  const sound = Object.values(value).every(
    (file) => isRecord(file) && typeof file['bytes'] === 'number' && typeof file['modified'] === 'number',
  );
  return sound ? (value as FileStates) : undefined;
}

/** What has changed between two states, for a message; undefined when nothing has. */
export function changeBetween(before: FileStates, now: FileStates): string | undefined {
  for (const name of new Set([...Object.keys(before), ...Object.keys(now)])) {
    const change = changeOf(name, before[name], now[name]);
    if (change !== undefined) return change;
  }
  return undefined;
}

function changeOf(name: string, then: FileState | undefined, now: FileState | undefined): string | undefined {
  if (!then) return `${name} is new`;
  if (!now) return `${name} is gone`;
  if (then.bytes !== now.bytes) return `${name} had ${then.bytes} bytes and has ${now.bytes}`;
  if (then.modified === now.modified) return undefined;
  return `${name} was of ${timeOf(then.modified)} and is of ${timeOf(now.modified)}`;
}

function timeOf(modified: number): string {
  return new Date(modified).toISOString();
}

/** Opens a shard again; one that is not as it was when the folder was opened is a CheckpointError. */
export async function reopenShard(shard: Shard): Promise<SafetensorsFile> {
  const file = await SafetensorsFile.open(shard.path);
  if (file.byteLength === shard.bytes && file.modified === shard.modified) return file;
  await file.close();
  return changedMeanwhile(shard);
}

/** Throws when a shard was changed since the folder was opened. */
export async function checkUnchanged(shard: Shard): Promise<void> {
  const found = await stat(shard.path).catch(() => undefined);
  if (found?.size !== shard.bytes || found.mtimeMs !== shard.modified) changedMeanwhile(shard);
}

function changedMeanwhile({ path }: Shard): never {
  return fail(`${path}: was changed while it was converted; run it again once the source stays as it is`);
}

/** With --hash: throws when a source file is not the one whose hash was kept. */
export async function checkHashes(
  { model, hashFiles }: { readonly model: ModelFolder; readonly hashFiles: boolean },
  kept: (name: string) => SourceHashes | undefined | Promise<SourceHashes | undefined>,
  where: string,
): Promise<void> {
  if (!hashFiles) return;
  for (const { name } of model.shards) {
    const file = (await kept(name))?.file;
    if (file === undefined || file === (await sha256Of(model.path, name))) continue;
    fail(
      `${where}: ${name} of the source has another SHA-256 than when it was converted; remove the result to begin anew, or choose another --out`,
    );
  }
}

/** SHA-256 of a file, in hex. */
async function sha256Of(folder: string, name: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(join(folder, name))) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
