// threads.ts: threads that wait for their next job: to start one takes longer than to copy or hash a small file.
import { Worker } from 'node:worker_threads';

/** A file that a thread runs. It stands beside this one, and in the package beside the bundle that this one is in. */
export type WorkerFile = 'copyWorker.js' | 'hashWorker.js';

/** Idle threads by the file that they run. They keep no process alive. */
const idle = new Map<WorkerFile, readonly Worker[]>();

/** A thread that runs `file` and waits for messages. It is the caller's until `giveBack`, or `terminate` in mid-job. */
export function takeThread(file: WorkerFile): Worker {
  const [waiting, ...others] = idleOf(file);
  if (!waiting) return startThread(file);
  idle.set(file, others);
  waiting.ref();
  return waiting;
}

function startThread(file: WorkerFile): Worker {
  const worker = new Worker(new URL(file, import.meta.url));
  worker.once('exit', () => {
    idle.set(
      file,
      idleOf(file).filter((other) => other !== worker),
    );
  });
  return worker;
}

/** Leaves a thread whose job is done to the next one who needs such a thread. One that has ended is left alone. */
export function giveBack(file: WorkerFile, worker: Worker): void {
  if (worker.threadId === -1) return;
  worker.unref();
  idle.set(file, [...idleOf(file), worker]);
}

function idleOf(file: WorkerFile): readonly Worker[] {
  return idle.get(file) ?? [];
}
