// outputFile.ts: writes a result to the path that a person named, whatever stands there, or throws.
import { constants, fstatSync, readFileSync, statSync, write } from 'node:fs';
import { access, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { outputTarget } from './outputTarget.ts';
import { bytesOf, checkReplaceable, replaceFile, type FilePart } from './replaceFile.ts';

/**
 * Throws an Error that says why when nothing could be written to the path, and leaves nothing there. To be asked before
 * minutes of work: `writeOutput` can still fail, of a full disk say.
 */
export async function checkOutput(path: string): Promise<void> {
  const target = outputTarget(path);
  if (target.kind === 'descriptor') return checkDescriptor(target.fd);
  if (target.kind === 'file') {
    if (isBehindStdout(target.path)) throw new Error('stdout goes to this file already');
    return checkReplaceable(target);
  }
  // A FIFO is not opened: that waits for its reader, who would see the end of the file.
  await access(target.path, constants.W_OK);
}

/** Throws for a descriptor that is not open, is open for reading alone, or is one of Node's own, of no kind. */
function checkDescriptor(fd: number): void {
  const found = fstatSync(fd);
  if (![found.isFile(), found.isFIFO(), found.isCharacterDevice(), found.isSocket()].includes(true)) {
    throw new Error('nothing to write to was passed to this process as that descriptor');
  }
  if (accessOf(fd) === constants.O_RDONLY) throw new Error('it is open for reading alone');
}

/** How a descriptor is open; undefined where the system does not tell. */
function accessOf(fd: number): number | undefined {
  try {
    const [, flags] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? [];
    return flags === undefined ? undefined : Number.parseInt(flags, 8) & ACCESS_MODE;
  } catch {
    return undefined;
  }
}

const ACCESS_MODE = constants.O_RDONLY | constants.O_WRONLY | constants.O_RDWR;

/** A file that took the path of the one behind stdout would take what was printed there with it. */
function isBehindStdout(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  const { dev, ino } = fstatSync(1);
  return found !== undefined && found.dev === dev && found.ino === ino;
}

/**
 * Writes to a path. A regular file is replaced whole or not at all, through symbolic links, and keeps its mode; a FIFO,
 * a character device or a descriptor of this process (/dev/stdout) gets the bytes. Throws an Error that says why not.
 */
export async function writeOutput(path: string, parts: readonly FilePart[]): Promise<void> {
  const target = outputTarget(path);
  if (target.kind === 'file') return replaceFile(target, parts);
  if (target.kind === 'descriptor') return writeToDescriptor(target.fd, parts);
  // Without O_CREAT and O_TRUNC: it is there, and a device's size is no one's to change.
  const handle = await open(target.path, constants.O_WRONLY);
  try {
    for (const part of parts) await handle.writeFile(bytesOf(part));
  } finally {
    await handle.close();
  }
}

/** Standard output and error by their streams, so that the bytes come after what those hold back. */
async function writeToDescriptor(fd: number, parts: readonly FilePart[]): Promise<void> {
  const stream = { 1: process.stdout, 2: process.stderr }[fd];
  for (const bytes of parts.map(bytesOf)) {
    if (stream) await writeToStream(stream, bytes);
    else await writeAll(fd, bytes);
  }
}

function writeToStream(stream: NodeJS.WriteStream, bytes: Uint8Array): Promise<void> {
  return new Promise((done, failed) => {
    stream.write(bytes, (error) => (error ? failed(error) : done()));
  });
}

async function writeAll(fd: number, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength;) {
    at += (await promisify(write)(fd, bytes, at, bytes.byteLength - at, null)).bytesWritten;
  }
}
