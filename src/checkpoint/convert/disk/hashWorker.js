// hashWorker.js: the thread of hash.ts: the SHA-256 of ranges of a file, and how far it is.
//
// JavaScript for the reasons in copyWorker.js.
/** @import { FileRange, HashJob, HashMessage } from './hash.ts' */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

/** Bytes after which it says how far it is. */
const REPORT = 64 * 2 ** 20;

const memory = Buffer.allocUnsafeSlow(2 ** 20);

parentPort?.on('message', (/** @type {HashJob} */ { path, ranges }) => {
  /** @type {number | undefined} */
  let file;
  try {
    file = openSync(path, 'r');
    say(sha256(file, ranges));
  } catch (error) {
    say({ error: error instanceof Error ? error.message : String(error) });
  } finally {
    if (file !== undefined) closeSync(file);
  }
});

/**
 * @param {number} file
 * @param {readonly FileRange[]} ranges
 * @returns {HashMessage}
 */
function sha256(file, ranges) {
  const hash = createHash('sha256');
  let unsaid = 0;
  for (const { begin, length } of ranges) {
    for (let done = 0; done < length;) {
      const read = readSync(file, memory, 0, Math.min(memory.length, length - done), begin + done);
      if (read === 0) throw new Error(`it ends at byte ${begin + done}; was it cut while open?`);
      hash.update(memory.subarray(0, read));
      done += read;
      unsaid += read;
      if (unsaid < REPORT) continue;
      say({ bytes: unsaid });
      unsaid = 0;
    }
  }
  return { bytes: unsaid, sha256: hash.digest('hex') };
}

/** @param {HashMessage} message */
function say(message) {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(message);
}
