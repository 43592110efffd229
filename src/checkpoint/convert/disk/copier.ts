// copier.ts: copies stretches of one file into another in threads of their own, while the main thread computes.
import type { Worker } from 'node:worker_threads';
import { giveBack, takeThread } from './threads.ts';

/** Bytes from `begin` of the source that go to `to` of the target. */
export interface Stretch {
  readonly begin: number;
  readonly length: number;
  readonly to: number;
}

export interface CopyJob {
  readonly from: string;
  /** Must exist. */
  readonly to: string;
  readonly stretches: readonly Stretch[];
  readonly onBytes: (bytes: number) => void;
}

/** Two, because one waits for memory while the other waits for its turn in the file; more only wait for each other. */
const THREADS = 2;
/** Bytes of a task: what one thread copies before it reports. */
const TASK = 64 * 2 ** 20;

// Plain JavaScript in a text, so that it runs alike from the source and from the bundle, where a worker has no file.
// Synchronous calls: each asynchronous one would wait for a processor several times, which are busy.
const SOURCE = `
const { closeSync, openSync, readSync, writeSync } = require('node:fs');
const { parentPort } = require('node:worker_threads');
const memory = Buffer.allocUnsafeSlow(2 ** 21);
function copy(source, target, stopped, { begin, length, to }) {
  for (let done = 0; done < length && Atomics.load(stopped, 0) === 0; ) {
    const read = readSync(source, memory, 0, Math.min(memory.length, length - done), begin + done);
    if (read === 0) throw new Error('the source ends at byte ' + (begin + done) + '; was it cut while open?');
    for (let written = 0; written < read; )
      written += writeSync(target, memory, written, read - written, to + done + written);
    done += read;
  }
  parentPort.postMessage({ bytes: length });
}
parentPort.on('message', ({ from, to, tasks, stopped }) => {
  const open = [];
  try {
    open.push(openSync(from, 'r'), openSync(to, 'r+'));
    for (const task of tasks) copy(open[0], open[1], stopped, task);
    parentPort.postMessage({ done: true });
  } catch (error) {
    parentPort.postMessage({ error: error.message });
  } finally {
    open.forEach((file) => closeSync(file));
  }
});
`;

type Message = { readonly bytes: number } | { readonly done: true } | { readonly error: string };

/** Threads that copy: taken once, used for one copy after the other, and given back at the end. */
export class Copier {
  readonly #stopped = new Int32Array(new SharedArrayBuffer(4));
  readonly #workers = Array.from({ length: THREADS }, () => takeThread(SOURCE));

  /** Copies all stretches. After a failure of one thread the others stop too. */
  async copy({ from, to, stretches, onBytes }: CopyJob): Promise<void> {
    Atomics.store(this.#stopped, 0, 0);
    const tasks = stretches.flatMap(cut);
    const runs = this.#workers.map((worker, i) => {
      const own = tasks.filter((_, at) => at % THREADS === i);
      return this.#run(worker, { from, to, tasks: own }, onBytes);
    });
    // All of them, so that nobody writes any more when the caller removes the file.
    const failed = (await Promise.allSettled(runs)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }

  #run(
    worker: Worker,
    job: { from: string; to: string; tasks: Stretch[] },
    onBytes: CopyJob['onBytes'],
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        worker.off('message', receive).off('error', fail).off('exit', ended);
        settle();
      };
      const fail = (cause: Error) => {
        this.stop();
        end(() => reject(cause));
      };
      const ended = () => fail(new Error('the copying thread ended'));
      const receive = (message: Message) => {
        if ('bytes' in message) onBytes(message.bytes);
        else if ('error' in message) fail(new Error(message.error));
        else end(resolve);
      };
      worker.on('message', receive).on('error', fail).on('exit', ended);
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      worker.postMessage({ ...job, stopped: this.#stopped });
    });
  }

  /** Makes a copy that is under way end early; it then counts as done. */
  stop(): void {
    Atomics.store(this.#stopped, 0, 1);
  }

  /** Gives the threads back. No copy may be under way. */
  close(): void {
    for (const worker of this.#workers) giveBack(SOURCE, worker);
  }
}

function cut({ begin, length, to }: Stretch): Stretch[] {
  return Array.from({ length: Math.ceil(length / TASK) }, (_, i) => ({
    begin: begin + i * TASK,
    length: Math.min(TASK, length - i * TASK),
    to: to + i * TASK,
  }));
}
