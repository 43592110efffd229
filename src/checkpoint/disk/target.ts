// target.ts: whether the folder to make can be made, or is there already: of this conversion, of this source, and whole.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, isObject } from '../checkpointError.ts';
import type { SourceHashes } from '../provenance.ts';
import { fingerprintOf, type ConversionJob } from './job.ts';
import { checkApart, exists, partialFolder, readRecord, recordedFingerprint } from './partial.ts';
import {
  changeBetween,
  checkHashes,
  fileState,
  parseStates,
  stateOf,
  type FileStates,
} from './fileStates.ts';

/** Checks that the target can be made: not the source nor inside it, not there yet. True when this very result is there. */
export async function checkTarget(job: ConversionJob): Promise<boolean> {
  const { model, out } = job;
  await checkApart(model.path, out, 'the target');
  // Writing to it, and giving it its name, would change the source as well.
  await checkApart(model.path, partialFolder(out), 'the folder that the result gathers in');
  if (!(await exists(out))) return false;
  const fingerprint = await recordedFingerprint(out);
  if (fingerprint === undefined) fail(`${out}: is there already; expected a name that is free`);
  if (fingerprint !== fingerprintOf(job))
    fail(
      `${out}: is of another conversion (other options, source or version); remove it to convert anew, or choose another --out`,
    );
  await checkWhole(job);
  return true;
}

/** Throws when the result that is there is not of the source as it is, or not as it was made. */
async function checkWhole(job: ConversionJob): Promise<void> {
  const { model, out } = job;
  const record = await readRecord(out);
  const anew = 'remove it to convert anew, or choose another --out';
  const source = parseStates(record['source_files']);
  const changed = source ? changeBetween(source, stateOf(model)) : 'it does not say of which files it is';
  if (changed !== undefined)
    fail(`${out}: is of this conversion, but the source is not as it was: ${changed}; ${anew}`);
  await checkHashes(job, (name) => hashesIn(record, name), out);
  const made = parseStates(record['result_files']);
  const found = made && (await statesIn(out, Object.keys(made)));
  const damage = made ? changeBetween(made, found!) : 'it does not say what its files were';
  if (damage !== undefined) fail(`${out}: is of this conversion, but not as it was made: ${damage}; ${anew}`);
}

/** The files of a folder that are there, of those named. */
async function statesIn(folder: string, names: readonly string[]): Promise<FileStates> {
  const found = await Promise.all(
    names.map(async (name) => [name, await stat(join(folder, name)).catch(() => undefined)] as const),
  );
  return Object.fromEntries(found.flatMap(([name, stats]) => (stats ? [[name, fileState(stats)]] : [])));
}

function hashesIn(record: Readonly<Record<string, unknown>>, name: string): SourceHashes | undefined {
  const all = record['source_shards_sha256'];
  return isObject(all) ? (all[name] as SourceHashes | undefined) : undefined;
}
