// partial.ts: the folder that the shards of a conversion gather in until the result is whole, and what lies in it besides.
import { isRecord } from '../../../device/options.ts';
import { messageOf } from '../../../device/errors.ts';
import { lstat, mkdir, readdir, readFile, realpath, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { freeSpace } from '../../../files/freeSpace.ts';
import { replaceFile, TEMPORARY } from '../../../files/replaceFile.ts';
import { CheckpointError, fail } from '../../format/checkpointError.ts';
import { realFolder } from '../../../files/folders.ts';
import type { SourceHashes } from '../provenance.ts';
import { changeBetween, parseStates, type FileStates } from './fileStates.ts';

/** File in the result that says how it was made, and to a later run that it is whole. */
export const RECORD = 'gqa-conversion.json';
export const JOURNAL = '.gqa-done.json';
/** Begins the name of the file that says whose shards gather in a folder; the fingerprint follows. */
export const MARK = '.gqa-of-';
/** Says which state of the source the shards beside it are of. */
export const STATE = '.gqa-source.json';

/** Where the shards gather until the result is whole. */
export function partialFolder(out: string): string {
  return `${out}.partial`;
}

/** Throws when a folder that is written to is the source, in it or around it. */
export async function checkApart(source: string, target: string, what: string): Promise<void> {
  const [from, to] = [await realpath(source), await realTarget(target)];
  if (to === from) fail(`${target}: ${what} is the source; expected another folder`);
  if (to.startsWith(from + sep))
    fail(`${target}: ${what} lies inside the source; expected a folder elsewhere`);
  if (from.startsWith(to + sep))
    fail(`${target}: the source lies inside ${what}; expected a folder elsewhere`);
}

async function realTarget(out: string): Promise<string> {
  const target = join(parentOf(out), basename(resolve(out)));
  return realpath(target).catch(() => target);
}

/** The folder that a folder to make lies in, without links; it may be missing too. Throws where it cannot be made. */
export function parentOf(out: string): string {
  try {
    return realFolder(dirname(resolve(out)));
  } catch (cause) {
    return fail(`${out}: ${messageOf(cause)}`, { cause });
  }
}

/** Whether a folder can be given this name: nothing has it, or an empty folder. */
export async function isFree(out: string): Promise<boolean> {
  if (!(await exists(out))) return true;
  const names = await readdir(out).catch(() => undefined);
  return names?.length === 0;
}

/** Links that lead nowhere are there too. */
export async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** What a result says of itself; without fields where there is no record that can be read. */
export async function readRecord(folder: string): Promise<Readonly<Record<string, unknown>>> {
  return readObject(join(folder, RECORD));
}

/** The conversion that a folder is the whole result of. */
export async function recordedFingerprint(folder: string): Promise<unknown> {
  return (await readRecord(folder))['fingerprint'];
}

async function readObject(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

/** The state of the source that the folder's shards are of, if it says so. */
export async function gatheredState(partial: string): Promise<FileStates | undefined> {
  const path = join(partial, STATE);
  return parseStates(
    (await exists(path)) ? await readObject(path) : (await readRecord(partial))['source_files'],
  );
}

/** Throws when the shards of the folder are of another state of the source; says which state, where nothing does yet. */
export async function claimState(partial: string, state: FileStates): Promise<void> {
  if ((await gatheredState(partial)) === undefined)
    await writeWhole(join(partial, STATE), JSON.stringify(state));
  // Two workers that come at once both get here; if their sources differ, one at least does not go on.
  await checkState(partial, state);
}

/** Throws when the shards of the folder are of another state of the source. */
export async function checkState(partial: string, state: FileStates): Promise<void> {
  const gathered = await gatheredState(partial);
  const change = gathered && changeBetween(gathered, state);
  if (change === undefined) return;
  fail(
    `${partial}: its shards are of the source as it was before: ${change}; remove the folder to begin anew, or choose another --out`,
  );
}

/**
 * Makes the folder and marks it as this conversion's. One of another conversion, or of something else, is an error. The
 * mark is a name without content, so that no worker can see half of it.
 */
export async function claimPartial(partial: string, fingerprint: string): Promise<void> {
  try {
    await mkdir(partial);
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST'))
      fail(`${partial}: cannot be made: ${messageOf(cause)}`, { cause });
  }
  try {
    if ((await readdir(partial)).length > 0) await checkClaim(partial, fingerprint);
    await writeFile(join(partial, MARK + fingerprint), '');
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    fail(`${partial}: could not be written: ${messageOf(cause)}`, { cause });
  }
  // Two workers that come at once both get here; if they differ, neither goes on.
  await checkClaim(partial, fingerprint);
}

/** Removes the folder after a run that left nothing in it, so that one of other options finds no mark of it. */
export async function releasePartial(partial: string, fingerprint: string): Promise<void> {
  const own = [STATE, MARK + fingerprint];
  const names = await readdir(partial).catch(() => []);
  if (names.length === 0 || names.some((name) => !own.includes(name))) return;
  for (const name of own) await rm(join(partial, name), { force: true }).catch(() => undefined);
  // Not when another worker has begun meanwhile.
  await rmdir(partial).catch(() => undefined);
}

/** Throws unless the folder is one that this conversion's shards gather in. */
export async function checkClaim(partial: string, fingerprint: string): Promise<void> {
  const names = await readdir(partial).catch((cause: unknown) =>
    fail(`${partial}: cannot be read: ${messageOf(cause)}`, { cause }),
  );
  const marks = names.filter((name) => name.startsWith(MARK));
  // The mark is the last thing that the finish removes before the folder gets its name.
  if (marks.length === 0 && (await recordedFingerprint(partial)) !== fingerprint) {
    fail(`${partial}: is there, but is not of a conversion; rename it, or choose another --out`);
  }
  if (marks.some((name) => name !== MARK + fingerprint)) {
    fail(
      `${partial}: is of another conversion (other options, source or version); finish that one, or remove the folder`,
    );
  }
}

/** The hashes of a finished shard's source, which are written when the shard is; undefined before. */
export async function readJournal(path: string): Promise<SourceHashes | undefined> {
  const hashes = await readObject(path + JOURNAL);
  return typeof hashes['rewritten'] === 'string' ? (hashes as unknown as SourceHashes) : undefined;
}

/** Throws before anything is written when the folder's disk has too little room. */
export async function checkSpace(folder: string, needed: number): Promise<void> {
  const free = await freeSpace(folder);
  if (needed <= free) return;
  const temporary = (await readdir(folder)).filter((name) => TEMPORARY.test(name));
  const sizes = await Promise.all(
    temporary.map((name) =>
      stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  const held = sizes.reduce((sum, size) => sum + size, 0);
  const hint =
    held > 0 ? `; ${held} bytes are in its *.tmp, which can be removed if no other worker is writing` : '';
  fail(`${folder}: needs ${needed} bytes, but its disk has ${free} left${hint}`);
}

/** Writes a small file under its name only when it is whole and on disk. */
export async function writeWhole(path: string, text: string): Promise<void> {
  await replaceFile({ kind: 'file', path }, [text]);
}
