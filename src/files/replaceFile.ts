// replaceFile.ts: a file that is replaced whole or not at all: written beside it, then renamed.
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { inFolder, tryInFolder } from './folders.ts';
import type { RegularTarget } from './outputTarget.ts';

/** What a file is written of: bytes, or text as UTF-8. */
export type FilePart = ArrayBufferView | string;

/** Ends the names of files that are being written, by this process or by one that was killed. */
export const TEMPORARY = /\.[0-9a-f]{8}\.tmp$/;

// 4 bytes each at most, so that with the ending the name stays below the 255 bytes that file systems allow.
const NAME_CHARACTERS = 60;

/** A new name in the same folder, for a file until it is whole. */
export function temporaryName(path: string): string {
  const name = Array.from(basename(path)).slice(0, NAME_CHARACTERS).join('');
  return join(dirname(path), `${name}.${randomUUID().slice(0, 8)}.tmp`);
}

/**
 * Writes the parts to a temporary file in the same folder, which takes the name once it is whole and on disk, with the
 * mode of the file it replaces. Folders that are missing are made. Throws what the file system throws; the path is then
 * as it was, and nothing stays.
 */
export async function replaceFile(target: RegularTarget, parts: readonly FilePart[]): Promise<void> {
  await inFolder(dirname(target.path), () => replace(target, parts));
}

async function replace(target: RegularTarget, parts: readonly FilePart[]): Promise<void> {
  const bytes = parts.map(bytesOf);
  const size = bytes.reduce((sum, { byteLength }) => sum + byteLength, 0);
  await checkWritable(target);
  const temporary = temporaryName(target.path);
  const handle = await open(temporary, 'wx');
  try {
    try {
      await keepAttributes(handle, target);
      for (const part of bytes) await handle.writeFile(part);
      await checkSize(handle, size);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target.path);
  } catch (error) {
    // The first failure is the one to report.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/**
 * Makes and removes a temporary file, and the folders that are missing: only that tells of a read-only disk, a folder
 * without permission, a name too long.
 */
export async function checkReplaceable(target: RegularTarget): Promise<void> {
  await checkWritable(target);
  await tryInFolder(dirname(target.path), async () => {
    const temporary = temporaryName(target.path);
    const handle = await open(temporary, 'wx');
    await handle.close();
    await rm(temporary);
  });
}

/** A rename asks for the folder's permission alone: a file that may not be written is to stay. */
async function checkWritable({ path, mode }: RegularTarget): Promise<void> {
  if (mode !== undefined) await (await open(path, constants.O_WRONLY)).close();
}

async function keepAttributes(handle: FileHandle, { mode, owner }: RegularTarget): Promise<void> {
  // Only root can give a file away; for anyone else the result is their own.
  if (owner) await handle.chown(owner.uid, owner.gid).catch(() => undefined);
  if (mode !== undefined) await handle.chmod(mode);
}

/** The caller's buffers can be detached or resized while we wait for the disk. */
async function checkSize(handle: FileHandle, expected: number): Promise<void> {
  const { size } = await handle.stat();
  if (size === expected) return;
  throw new Error(`data changed while it was written: ${expected} bytes expected, ${size} written`);
}

/** The bytes of a part, not copied where it has some. */
export function bytesOf(part: FilePart): Uint8Array {
  if (typeof part === 'string') return Buffer.from(part);
  return new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
}
