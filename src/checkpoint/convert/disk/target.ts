// target.ts: whether the folder to make can be made, or is there already: of this conversion, of this source, and whole.
import { isRecord } from '../../../device/options.ts';
import { lstat, realpath, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fail } from '../../format/checkpointError.ts';
import type { SourceHashes } from '../provenance.ts';
import { fingerprintOf, type ConversionJob } from './job.ts';
import { checkApart, isFree, parentOf, partialFolder, readRecord, recordedFingerprint } from './partial.ts';
import {
  changeBetween,
  checkHashes,
  fileState,
  parseStates,
  stateOf,
  type FileStates,
} from './fileStates.ts';

/** The folder that a name stands for: what a link leads to, and no `.` or `..` at the end, which no neighbour could have. */
export async function targetFolder(out: string): Promise<string> {
  const path = ['.', '..'].includes(basename(out)) ? resolve(out) : out;
  const found = await lstat(path).catch(() => undefined);
  if (!found?.isSymbolicLink()) return path;
  return realpath(path).catch((cause: unknown) =>
    fail(`${out}: is a link that leads nowhere; ${EXPECTED}`, { cause }),
  );
}

const EXPECTED = 'expected a name that is free, or an empty folder';

/**
 * Checks, before any work, that the target can be made: not the source nor inside it; not there yet, empty, or the result
 * of some conversion.
 */
export async function checkPlace(source: string, out: string): Promise<void> {
  await checkApart(source, out, 'the target');
  // Writing to it, and giving it its name, would change the source as well.
  await checkApart(source, partialFolder(out), 'the folder that the result gathers in');
  if (await isFree(out)) return checkEmpty(out);
  if (!(await stat(out)).isDirectory()) fail(`${out}: is no folder; ${EXPECTED}`);
  if ((await recordedFingerprint(out)) === undefined) fail(`${out}: is there already; ${EXPECTED}`);
}

/** An empty folder is replaced by the whole one, which not every folder can be. */
async function checkEmpty(out: string): Promise<void> {
  const found = await stat(out).catch(() => undefined);
  if (!found) return;
  const parent = await stat(parentOf(out));
  if (found.dev !== parent.dev)
    fail(
      `${out}: is a disk of its own, and no folder can take its name; expected one in it, as ${join(out, 'model')}`,
    );
  if ((await realpath(out)) === (await realpath('.')))
    fail(`${out}: is the folder that this command runs in, which would be replaced; expected another`);
}

/** As `checkPlace`, for a conversion; true when its result is there, whole. */
export async function checkTarget(job: ConversionJob): Promise<boolean> {
  const { model, out } = job;
  await checkPlace(model.path, out);
  if (await isFree(out)) return false;
  if ((await recordedFingerprint(out)) !== fingerprintOf(job))
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
  return isRecord(all) ? (all[name] as SourceHashes | undefined) : undefined;
}
