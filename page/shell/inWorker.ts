// inWorker.ts: a job in a worker of its own: started, told whether the tab is visible, ended.

/** Ends of every job beside its own. */
export type Ended =
  | { readonly state: 'stopped' }
  | { readonly state: 'error'; readonly code: string; readonly message: string };

/** What a worker is told when it is to stop, and how long it may then take to end by itself, in ms. */
export interface Grace {
  readonly message: object;
  readonly ms: number;
}

/**
 * Sends a worker its job, and shows each of its messages to `take` until that returns an outcome. `take` may answer.
 * Aborting ends the worker at once, or after a grace, and with it its device and all GPU memory.
 */
export function inWorker<O>(
  worker: Worker,
  job: object,
  signal: AbortSignal,
  take: (message: unknown, answer: (message: unknown) => void) => O | undefined,
  grace?: Grace,
): Promise<O | Ended> {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker has no origin to name
  const say = (message: unknown) => worker.postMessage(message);
  const ended = new AbortController();
  return new Promise<O | Ended>((resolve) => {
    const end = (outcome: O | Ended) => {
      if (ended.signal.aborted) return;
      worker.terminate();
      ended.abort();
      resolve(outcome);
    };
    const whileRunning = { signal: ended.signal };
    const stop = () => {
      if (!grace) return end({ state: 'stopped' });
      say(grace.message);
      setTimeout(() => end({ state: 'stopped' }), grace.ms);
    };
    signal.addEventListener('abort', stop, whileRunning);
    document.addEventListener(
      'visibilitychange',
      () => say({ type: 'visible', visible: !document.hidden }),
      whileRunning,
    );
    worker.addEventListener('error', (event) =>
      end({ state: 'error', code: 'unexpected', message: event.message }),
    );
    worker.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      if (ended.signal.aborted) return;
      try {
        const outcome = take(data, say);
        if (outcome !== undefined) end(outcome);
      } catch (error) {
        end({ state: 'error', code: 'unexpected', message: String(error) });
      }
    });
    say({ ...job, visible: !document.hidden });
  });
}
