// hash.ts: the SHA-256 of a file, computed beside other work.
import { Worker } from 'node:worker_threads';
import { CheckpointError } from '../checkpointError.ts';
import { reason } from './modelFolder.ts';

// Plain JavaScript in a text, so that it runs alike from the source and from the bundle, where a worker has no file.
const SOURCE = `
const { createHash } = require('node:crypto');
const { closeSync, openSync, readSync } = require('node:fs');
const { parentPort, workerData } = require('node:worker_threads');
const hash = createHash('sha256');
const bytes = Buffer.allocUnsafeSlow(2 ** 20);
const file = openSync(workerData, 'r');
for (let length; (length = readSync(file, bytes)) > 0; ) hash.update(bytes.subarray(0, length));
closeSync(file);
parentPort.postMessage(hash.digest('hex'));
`;

/**
 * Begins to hash a file in a thread of its own: it takes a processor for about as long as reading and writing take
 * another. `stop` ends it early and must be called in any case.
 */
export function hashInWorker(path: string): { readonly sha256: Promise<string>; readonly stop: () => void } {
  const worker = new Worker(SOURCE, { eval: true, workerData: path });
  const sha256 = new Promise<string>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', (cause) =>
      reject(new CheckpointError(`${path}: cannot be read: ${reason(cause)}`, { cause })),
    );
    worker.once('exit', () => reject(new CheckpointError(`${path}: was not hashed to its end`)));
  });
  // It is awaited last; until then a failure is no unhandled rejection.
  sha256.catch(() => undefined);
  return { sha256, stop: () => void worker.terminate() };
}
