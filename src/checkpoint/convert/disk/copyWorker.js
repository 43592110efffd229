// copyWorker.js: the thread of copier.ts: copies the stretches of a job, one after the other.
//
// JavaScript, its types in comments, so that Node 20 runs the same file from a clone and from the package. Synchronous
// calls: each asynchronous one would wait several times for a processor, and those are busy.
/** @import { CopyMessage, CopyTasks, Stretch } from './copier.ts' */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

const memory = Buffer.allocUnsafeSlow(2 ** 21);

parentPort?.on('message', (/** @type {CopyTasks} */ { from, to, tasks, stopped }) => {
  /** @type {number[]} */
  const open = [];
  try {
    const source = openSync(from, 'r');
    open.push(source);
    const target = openSync(to, 'r+');
    open.push(target);
    for (const task of tasks) {
      copy(source, target, stopped, task);
      say({ bytes: task.length });
    }
    say({ done: true });
  } catch (error) {
    say({ error: error instanceof Error ? error.message : String(error) });
  } finally {
    for (const file of open) closeSync(file);
  }
});

/**
 * Ends early once `stopped` is not 0.
 *
 * @param {number} source
 * @param {number} target
 * @param {Int32Array} stopped
 * @param {Stretch} stretch
 */
function copy(source, target, stopped, { begin, length, to }) {
  for (let done = 0; done < length && Atomics.load(stopped, 0) === 0;) {
    const read = readSync(source, memory, 0, Math.min(memory.length, length - done), begin + done);
    if (read === 0) throw new Error(`the source ends at byte ${begin + done}; was it cut while open?`);
    for (let written = 0; written < read;) {
      written += writeSync(target, memory, written, read - written, to + done + written);
    }
    done += read;
  }
}

/** @param {CopyMessage} message */
function say(message) {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(message);
}
