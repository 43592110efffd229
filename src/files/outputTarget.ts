// outputTarget.ts: where an output path leads: a regular file, something to write through, or nowhere that could be written.
import { lstatSync, readlinkSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { realFolder } from './folders.ts';

/** A regular file, there already or not, to be replaced whole; `path` has no link in it. Its folder may be missing. */
export interface RegularTarget {
  readonly kind: 'file';
  readonly path: string;
  /** Of the file that is replaced; undefined where there is none yet. */
  readonly mode?: number;
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** Where the bytes of an output go. A stream is a FIFO or a character device; a descriptor is one of this process. */
export type OutputTarget =
  | RegularTarget
  | { readonly kind: 'stream'; readonly path: string }
  | { readonly kind: 'descriptor'; readonly fd: number };

// /dev/stdout and /proc/self/fd/1 lead there. Opening one again can fail (a socket), or begin a second offset in a file.
const DESCRIPTOR = /^(?:\/proc\/(\d+)(?:\/task\/\d+)?|\/dev)\/fd\/(\d+)$/;

// As Linux does.
const MAX_LINKS = 40;

/**
 * Follows links to what a path stands for. Throws an Error that says why nothing can be written there: a folder,
 * something below a file, a block device, a socket, links in a circle.
 */
export function outputTarget(path: string): OutputTarget {
  if (path === '') throw new Error('expected a file, got an empty name');
  if (path.endsWith('/')) throw new Error('expected a file, got the name of a folder');
  let at = resolve(path);
  for (let links = 0; links <= MAX_LINKS; links++) {
    const folder = realFolder(dirname(at));
    at = join(folder, basename(at));
    const [descriptor, pid = process.pid, fd] = DESCRIPTOR.exec(at) ?? [];
    if (descriptor && Number(pid) === process.pid) return { kind: 'descriptor', fd: Number(fd) };
    // What another process has open is no path, though it looks like a link to one.
    if (descriptor || !lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink()) return targetAt(at);
    at = resolve(folder, readlinkSync(at));
  }
  throw new Error('too many symbolic links');
}

function targetAt(path: string): OutputTarget {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return { kind: 'file', path };
  const { mode, uid, gid } = found;
  if (found.isFile()) return { kind: 'file', path, mode: mode & 0o7777, owner: { uid, gid } };
  if (found.isDirectory()) throw new Error('expected a file, it is a folder');
  if (found.isFIFO() || found.isCharacterDevice()) return { kind: 'stream', path };
  throw new Error(`expected a file, it is a ${found.isSocket() ? 'socket' : 'block device'}`);
}
