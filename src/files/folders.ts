// folders.ts: the folders that an output lies in: found through links, made where they are missing, removed after a failure.
import { lstatSync, realpathSync, statSync } from 'node:fs';
import { mkdir, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * An absolute folder without links in its path; it and any above it may still be missing. Throws an Error for one that
 * could never be made: below a file, or below a link that leads nowhere.
 */
export function realFolder(folder: string): string {
  const above = dirname(folder);
  if (above === folder) return folder;
  const path = join(realFolder(above), basename(folder));
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory()) return realpathSync(path);
  if (found) throw new Error(`"${folder}" is no folder`);
  if (lstatSync(path, { throwIfNoEntry: false })) throw new Error(`"${folder}" is a link that leads nowhere`);
  return path;
}

/**
 * Makes what is missing of an absolute folder and those above it, for `act`. When that fails they are removed again, as
 * far as they are empty. Throws an Error for one that cannot be made.
 */
export async function inFolder<T>(folder: string, act: () => Promise<T>): Promise<T> {
  const made: string[] = [];
  try {
    for (const path of missingFolders(folder)) if (await make(path)) made.push(path);
    return await act();
  } catch (error) {
    await removeFolders(made);
    throw error;
  }
}

/** Makes the folder as `inFolder` does and removes it again, to see whether that can be done. */
export async function tryInFolder(folder: string, act: () => Promise<void>): Promise<void> {
  const missing = missingFolders(folder);
  await inFolder(folder, act);
  await removeFolders(missing);
}

/** Outermost first. */
function missingFolders(folder: string): string[] {
  if (statSync(folder, { throwIfNoEntry: false })) return [];
  return [...missingFolders(dirname(folder)), folder];
}

/** False where another process was faster. */
async function make(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return false;
    throw new Error(`the folder "${path}" cannot be made: ${(cause as Error).message}`, { cause });
  }
}

/** Not those that something was put into meanwhile. */
async function removeFolders(made: readonly string[]): Promise<void> {
  for (const path of made.toReversed()) await rmdir(path).catch(() => undefined);
}
