// tar.ts: a reader of plain ustar archives: folders and files, nothing else.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { GqaError } from '../device/errors.ts';

const BLOCK = 512;

/** One member of an archive. `path` is relative and stays inside the folder it is unpacked to; folders end in "/". */
export interface TarEntry {
  readonly path: string;
  /** Permission bits, such as 0o755. */
  readonly mode: number;
  readonly bytes: Uint8Array;
}

/**
 * The members of a ustar archive, in order. Throws GqaError `archive` when a path would leave the target folder, when
 * a member is neither file nor folder, and when the archive is cut short or damaged.
 */
export function readTar(archive: Uint8Array): TarEntry[] {
  const entries: TarEntry[] = [];
  for (let at = 0; at + BLOCK <= archive.length;) {
    const header = archive.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) return entries;
    checkSum(header, at);
    const entry = readEntry(header, archive.subarray(at + BLOCK));
    entries.push(entry);
    at += BLOCK + Math.ceil(entry.bytes.length / BLOCK) * BLOCK;
  }
  throw new GqaError(
    'archive',
    `readTar: the archive of ${archive.length} bytes has no end mark: it is cut short`,
  );
}

/** Writes the members of a ustar archive under `folder`, with their permissions. Errors as `readTar`. */
export function unpackTar(archive: Uint8Array, folder: string): void {
  for (const { path, mode, bytes } of readTar(archive)) {
    const target = join(folder, path);
    mkdirSync(path.endsWith('/') ? target : dirname(target), { recursive: true });
    if (path.endsWith('/')) continue;
    writeFileSync(target, bytes);
    chmodSync(target, mode & 0o777);
  }
}

function readEntry(header: Uint8Array, rest: Uint8Array): TarEntry {
  const prefix = text(header, 345, 155);
  const name = text(header, 0, 100);
  const path = safePath(prefix === '' ? name : `${prefix}/${name}`);
  const type = text(header, 156, 1);
  const size = octal(header, 124, 12);
  if (type === '5')
    return { path: path.endsWith('/') ? path : `${path}/`, mode: 0o755, bytes: new Uint8Array(0) };
  if (type !== '' && type !== '0') {
    throw new GqaError('archive', `readTar: ${path}: expected a file or folder, got member type "${type}"`);
  }
  if (rest.length < size) {
    throw new GqaError(
      'archive',
      `readTar: ${path}: expected ${size} bytes, the archive ends after ${rest.length}`,
    );
  }
  return { path, mode: octal(header, 100, 8), bytes: rest.subarray(0, size) };
}

/** The path itself when it is relative and stays below its starting folder. */
function safePath(path: string): string {
  const plain = normalize(path);
  if (path === '' || isAbsolute(plain) || plain.split(/[\\/]/).includes('..')) {
    throw new GqaError('archive', `readTar: member "${path}" would be written outside the target folder`);
  }
  return plain;
}

/** The header's own sum: all bytes, with the eight of the sum itself counted as blanks. */
function checkSum(header: Uint8Array, at: number): void {
  const given = octal(header, 148, 8);
  let sum = 8 * 32;
  header.forEach((byte, i) => {
    if (i < 148 || i >= 156) sum += byte;
  });
  if (sum !== given) {
    throw new GqaError('archive', `readTar: damaged header at byte ${at}: sum ${sum}, expected ${given}`);
  }
}

function text(header: Uint8Array, from: number, length: number): string {
  const field = header.subarray(from, from + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

function octal(header: Uint8Array, from: number, length: number): number {
  return Number.parseInt(text(header, from, length).trim(), 8);
}
