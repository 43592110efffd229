// quiet.ts: keeps Dawn's polling off the processor while a measurement waits.

const SHORTEST_MS = 0.05;
const LONGEST_MS = 1;
const SHARE_OF_WAIT = 0.05;
const NEVER = new Int32Array(new SharedArrayBuffer(4)); // nobody notifies it: each wait is a plain sleep

/**
 * Call it before waiting for the GPU, and the function it returns after:
 *
 *     const stop = quietWait();
 *     try { await device.queue.onSubmittedWorkDone(); } finally { stop(); }
 *
 * While a WebGPU promise is pending, Dawn's Node binding asks "done?" in every turn of the event loop, as fast as the
 * loop turns: on a software adapter that takes most of a core away from the kernel being measured. Until `stop` is
 * called, each turn sleeps: 5 % of the time waited so far, at least 0.05 ms and at most 1 ms. So a wait ends late by
 * about 5 % of itself, at most by 1 ms; GPU timestamps are not touched. In a dispatch of 6 s on two cores with lavapipe
 * the main thread's time fell from 70 % of the wall time to 7 %, and the dispatch took a third less.
 * Nothing else on this thread runs during a sleep. A forgotten `stop` does not keep the process alive.
 */
export function quietWait(): () => void {
  const started = performance.now();
  let next: NodeJS.Immediate;
  const turn = () => {
    sleepIn(performance.now() - started);
    next = setImmediate(turn).unref();
  };
  next = setImmediate(turn).unref();
  return () => clearImmediate(next);
}

/** @internal Stops this thread for a share of the time that it has waited, in ms, so that a wait ends hardly later. */
export function sleepIn(waitedMs: number): void {
  Atomics.wait(NEVER, 0, 0, Math.min(LONGEST_MS, Math.max(SHORTEST_MS, waitedMs * SHARE_OF_WAIT)));
}
