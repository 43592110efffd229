// hash.ts: the SHA-256 of a file or of parts of it, computed in a thread of its own.
import { messageOf } from '../../../device/errors.ts';
import { CheckpointError } from '../../format/checkpointError.ts';
import { giveBack, takeThread } from './threads.ts';

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
const { parentPort } = require('node:worker_threads');
const memory = Buffer.allocUnsafeSlow(2 ** 20);
function sha256(file, ranges) {
  const hash = createHash('sha256');
  let unsaid = 0;
  for (const { begin, length } of ranges) {
    for (let done = 0; done < length; ) {
      const read = readSync(file, memory, 0, Math.min(memory.length, length - done), begin + done);
      if (read === 0) throw new Error('it ends at byte ' + (begin + done) + '; was it cut while open?');
      hash.update(memory.subarray(0, read));
      done += read;
      unsaid += read;
      if (unsaid < ${REPORT}) continue;
      parentPort.postMessage({ bytes: unsaid });
      unsaid = 0;
    }
  }
  return { bytes: unsaid, sha256: hash.digest('hex') };
}
parentPort.on('message', ({ path, ranges }) => {
  let file;
  try {
    file = openSync(path, 'r');
    parentPort.postMessage(sha256(file, ranges));
  } catch (error) {
    parentPort.postMessage({ error: error.message });
  } finally {
    if (file !== undefined) closeSync(file);
  }
});
`;

type Message =
  | { readonly bytes: number }
  | { readonly bytes: number; readonly sha256: string }
  | { readonly error: string };

/**
 * Begins to hash ranges of a file, one after the other. `stop` ends it early and must be called in any case. `onBytes` is
 * called with the bytes hashed since the last call.
 */
export function hashInWorker(
  path: string,
  ranges: readonly FileRange[],
  onBytes: (bytes: number) => void = () => {},
): { readonly sha256: Promise<string>; readonly stop: () => void } {
  const worker = takeThread(SOURCE);
  let stop = () => {};
  const sha256 = new Promise<string>((resolve, reject) => {
    const end = (settle: () => void) => {
      worker.off('message', receive).off('error', fail).off('exit', ended);
      stop = () => {};
      settle();
    };
    const fail = (cause: Error) =>
      end(() => reject(new CheckpointError(`${path}: cannot be read: ${messageOf(cause)}`, { cause })));
    const ended = () => end(() => reject(new CheckpointError(`${path}: was not hashed to its end`)));
    const receive = (message: Message) => {
      if ('error' in message) fail(new Error(message.error));
      else {
        onBytes(message.bytes);
        if (!('sha256' in message)) return;
        end(() => resolve(message.sha256));
      }
      giveBack(SOURCE, worker);
    };
    stop = () => {
      ended();
      void worker.terminate();
    };
    worker.on('message', receive).on('error', fail).on('exit', ended);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage({ path, ranges });
  });
  // It is awaited last; until then a failure is no unhandled rejection.
  sha256.catch(() => undefined);
  return { sha256, stop: () => stop() };
}
