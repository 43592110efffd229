// folderFiles.ts: the files that lie in a model's folder, and those that stand for files that were never fetched.
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../../device/errors.ts';
import { fail } from '../../format/checkpointError.ts';
import { MAX_POINTER_BYTES, refusePointer } from '../../format/weightFiles.ts';

/** A file of a model. */
export interface OtherFile {
  /** Relative to the folder. */
  readonly name: string;
  readonly bytes: number;
  readonly modified: number;
}

/** Files of the folder and its subfolders, without those that begin with a dot; links count as what they lead to. */
export async function listFiles(
  folder: string,
  under = '',
  around: readonly string[] = [],
): Promise<OtherFile[]> {
  const real = await realpath(join(folder, under));
  if (around.includes(real)) fail(`${join(folder, under)}: is a link to a folder that it lies in: ${real}`);
  const out: OtherFile[] = [];
  for (const name of (await readdir(join(folder, under))).toSorted()) {
    if (name.startsWith('.')) continue;
    const relative = under === '' ? name : `${under}/${name}`;
    const found = await stat(join(folder, relative)).catch((cause: unknown) =>
      fail(`${join(folder, relative)}: cannot be read: ${messageOf(cause)}`, { cause }),
    );
    if (found.isDirectory()) out.push(...(await listFiles(folder, relative, [...around, real])));
    else if (found.isFile()) out.push({ name: relative, bytes: found.size, modified: found.mtimeMs });
  }
  return out;
}

/** Throws for a file that is only Git LFS's pointer to one. */
export async function refusePointers(files: readonly OtherFile[], folder: string): Promise<void> {
  for (const { name } of files.filter(({ bytes }) => bytes < MAX_POINTER_BYTES)) {
    const path = join(folder, name);
    refusePointer(await readFile(path), path);
  }
}
