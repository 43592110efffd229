// hash.ts: the SHA-256 of a file or of parts of it, computed in a thread of its own.
import { messageOf } from '../../../device/errors.ts';
import { Worker } from 'node:worker_threads';
import { CheckpointError } from '../../format/checkpointError.ts';

/** Bytes after which a thread says how far it is. */
const REPORT = 64 * 2 ** 20;

/** Bytes [begin, begin + length) of a file. */
export interface FileRange {
  readonly begin: number;
  readonly length: number;
}

// Plain JavaScript in a text, so that it runs alike from the source and from the bundle, where a worker has no file.
const SOURCE = `
const { createHash } = require('node:crypto');
const { closeSync, openSync, readSync } = require('node:fs');
const { parentPort, workerData } = require('node:worker_threads');
const hash = createHash('sha256');
const memory = Buffer.allocUnsafeSlow(2 ** 20);
const file = openSync(workerData.path, 'r');
let unsaid = 0;
const say = () => (parentPort.postMessage(unsaid), (unsaid = 0));
for (const { begin, length } of workerData.ranges) {
  for (let done = 0; done < length; ) {
    const read = readSync(file, memory, 0, Math.min(memory.length, length - done), begin + done);
    if (read === 0) throw new Error('it ends at byte ' + (begin + done) + '; was it cut while open?');
    hash.update(memory.subarray(0, read));
    done += read;
    unsaid += read;
    if (unsaid >= ${REPORT}) say();
  }
}
closeSync(file);
say();
parentPort.postMessage(hash.digest('hex'));
`;

/**
 * Begins to hash ranges of a file, one after the other. `stop` ends it early and must be called in any case. `onBytes` is
 * called with the bytes hashed since the last call.
 */
export function hashInWorker(
  path: string,
  ranges: readonly FileRange[],
  onBytes: (bytes: number) => void = () => {},
): { readonly sha256: Promise<string>; readonly stop: () => void } {
  const worker = new Worker(SOURCE, { eval: true, workerData: { path, ranges } });
  const sha256 = new Promise<string>((resolve, reject) => {
    worker.on('message', (message: number | string) =>
      typeof message === 'number' ? onBytes(message) : resolve(message),
    );
    worker.once('error', (cause) =>
      reject(new CheckpointError(`${path}: cannot be read: ${messageOf(cause)}`, { cause })),
    );
    worker.once('exit', () => reject(new CheckpointError(`${path}: was not hashed to its end`)));
  });
  // It is awaited last; until then a failure is no unhandled rejection.
  sha256.catch(() => undefined);
  return { sha256, stop: () => void worker.terminate() };
}
