// freeSpace.ts: how much a disk has room for.
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Bytes that may be written where a folder is, or will be; infinite where the system does not say. */
export async function freeSpace(folder: string): Promise<number> {
  try {
    const { bavail, bsize, blocks } = await statfs(folder);
    return blocks === 0 ? Infinity : bavail * bsize;
  } catch (cause) {
    const above = dirname(folder);
    if ((cause as { code?: unknown }).code !== 'ENOENT' || above === folder) throw cause;
    return freeSpace(above);
  }
}
