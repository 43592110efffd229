// hash.ts: the SHA-256 of a file or of parts of it, computed in a thread of its own.
import { messageOf } from '../../../device/errors.ts';
import { CheckpointError } from '../../format/checkpointError.ts';
import { giveBack, takeThread } from './threads.ts';

/** Bytes [begin, begin + length) of a file. */
export interface FileRange {
  readonly begin: number;
  readonly length: number;
}

/** What hashWorker.js is sent. */
export interface HashJob {
  readonly path: string;
  readonly ranges: readonly FileRange[];
}

/** What hashWorker.js answers: the bytes hashed since its last answer, and last the sum, or why there is none. */
export type HashMessage =
  | { readonly bytes: number }
  | { readonly bytes: number; readonly sha256: string }
  | { readonly error: string };

const WORKER = 'hashWorker.js';

/**
 * Begins to hash ranges of a file, one after the other. `stop` ends it early and must be called in any case. `onBytes` is
 * called with the bytes hashed since the last call.
 */
export function hashInWorker(
  path: string,
  ranges: readonly FileRange[],
  onBytes: (bytes: number) => void = () => {},
): { readonly sha256: Promise<string>; readonly stop: () => void } {
  const worker = takeThread(WORKER);
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
    const receive = (message: HashMessage) => {
      if ('error' in message) fail(new Error(message.error));
      else {
        onBytes(message.bytes);
        if (!('sha256' in message)) return;
        end(() => resolve(message.sha256));
      }
      giveBack(WORKER, worker);
    };
    stop = () => {
      ended();
      void worker.terminate();
    };
    worker.on('message', receive).on('error', fail).on('exit', ended);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage({ path, ranges } satisfies HashJob);
  });
  // It is awaited last; until then a failure is no unhandled rejection.
  sha256.catch(() => undefined);
  return { sha256, stop: () => stop() };
}
