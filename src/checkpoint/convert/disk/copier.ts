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

/** What copyWorker.js is sent. */
export interface CopyTasks {
  readonly from: string;
  readonly to: string;
  readonly tasks: readonly Stretch[];
  /** Not 0 once the copy is to end early. */
  readonly stopped: Int32Array;
}

/** What copyWorker.js answers: the bytes of each task that is done, and last that all are, or why not. */
export type CopyMessage = { readonly bytes: number } | { readonly done: true } | { readonly error: string };

const WORKER = 'copyWorker.js';

/** Threads that copy: taken once, used for one copy after the other, and given back at the end. */
export class Copier {
  readonly #stopped = new Int32Array(new SharedArrayBuffer(4));
  readonly #workers = Array.from({ length: THREADS }, () => takeThread(WORKER));

  /** Copies all stretches. After a failure of one thread the others stop too. */
  async copy({ from, to, stretches, onBytes }: CopyJob): Promise<void> {
    Atomics.store(this.#stopped, 0, 0);
    const tasks = stretches.flatMap(cut);
    const runs = this.#workers.map((worker, i) => {
      const own = tasks.filter((_, at) => at % THREADS === i);
      return this.#run(worker, { from, to, tasks: own, stopped: this.#stopped }, onBytes);
    });
    // All of them, so that nobody writes any more when the caller removes the file.
    const failed = (await Promise.allSettled(runs)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }

  #run(worker: Worker, job: CopyTasks, onBytes: CopyJob['onBytes']): Promise<void> {
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
      const receive = (message: CopyMessage) => {
        if ('bytes' in message) onBytes(message.bytes);
        else if ('error' in message) fail(new Error(message.error));
        else end(resolve);
      };
      worker.on('message', receive).on('error', fail).on('exit', ended);
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      worker.postMessage(job);
    });
  }

  /** Makes a copy that is under way end early; it then counts as done. */
  stop(): void {
    Atomics.store(this.#stopped, 0, 1);
  }

  /** Gives the threads back. No copy may be under way. */
  close(): void {
    for (const worker of this.#workers) giveBack(WORKER, worker);
  }
}

function cut({ begin, length, to }: Stretch): Stretch[] {
  return Array.from({ length: Math.ceil(length / TASK) }, (_, i) => ({
    begin: begin + i * TASK,
    length: Math.min(TASK, length - i * TASK),
    to: to + i * TASK,
  }));
}
