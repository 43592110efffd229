// threads.ts: threads that wait for their next job: to start one takes longer than to copy or hash a small file.
import { Worker } from 'node:worker_threads';

/** Idle threads by the text that they run. They keep no process alive. */
const idle = new Map<string, readonly Worker[]>();

/** A thread that runs `source` and waits for messages. It is the caller's until `giveBack`, or `terminate` in mid-job. */
export function takeThread(source: string): Worker {
  const [waiting, ...others] = idleOf(source);
  if (!waiting) return startThread(source);
  idle.set(source, others);
  waiting.ref();
  return waiting;
}

function startThread(source: string): Worker {
  const worker = new Worker(source, { eval: true });
  worker.once('exit', () => {
    idle.set(
      source,
      idleOf(source).filter((other) => other !== worker),
    );
  });
  return worker;
}

/** Leaves a thread whose job is done to the next one who needs such a thread. One that has ended is left alone. */
export function giveBack(source: string, worker: Worker): void {
  if (worker.threadId === -1) return;
  worker.unref();
  idle.set(source, [...idleOf(source), worker]);
}

function idleOf(source: string): readonly Worker[] {
  return idle.get(source) ?? [];
}
