// runner.ts: the page's side of a run: starts the worker, tells it whether the tab is visible, ends it.
import type { BenchResult } from '../bench/schema/schema.ts';
import type { Tuned } from '../bench/tune/tune.ts';
import type { FromWorker, PageEvent, RunRequest, ToWorker, TuneRequest } from './protocol.ts';

/** How a run or a tuning ended. */
export type Outcome =
  | { readonly state: 'done'; readonly result: BenchResult }
  | { readonly state: 'tuned'; readonly found: readonly Tuned[] }
  | { readonly state: 'stopped' }
  | {
      readonly state: 'error';
      readonly code: string;
      readonly message: string;
      readonly result?: BenchResult;
    };

/** What to do: the worker's first message, less what the runner adds. */
export type Job =
  | { readonly type: 'start'; readonly request: RunRequest }
  | { readonly type: 'tune'; readonly request: TuneRequest };

/**
 * Runs in a worker of its own and calls `draw` with every event; the run goes on when what was drawn is on screen.
 * Aborting ends the worker at once, and with it its device and all GPU memory.
 */
export function runInWorker(
  job: Job,
  signal: AbortSignal,
  draw: (event: PageEvent) => void,
): Promise<Outcome> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker has no origin to name
  const say = (message: ToWorker) => worker.postMessage(message);
  const ended = new AbortController();
  return new Promise<Outcome>((resolve) => {
    const end = (outcome: Outcome) => {
      worker.terminate();
      ended.abort();
      resolve(outcome);
    };
    const whileRunning = { signal: ended.signal };
    signal.addEventListener('abort', () => end({ state: 'stopped' }), whileRunning);
    document.addEventListener(
      'visibilitychange',
      () => say({ type: 'visible', visible: !document.hidden }),
      whileRunning,
    );
    worker.addEventListener('error', (event) =>
      end({ state: 'error', code: 'unexpected', message: event.message }),
    );
    worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
      if (ended.signal.aborted) return;
      if (data.type === 'done') return end({ state: 'done', result: data.result });
      if (data.type === 'tuned') return end({ state: 'tuned', found: data.found });
      if (data.type === 'failed') {
        const { type: _, ...failure } = data;
        return end({ state: 'error', ...failure });
      }
      try {
        draw(data);
      } catch (error) {
        return end({ state: 'error', code: 'unexpected', message: String(error) });
      }
      afterPaint(() => say({ type: 'next' }));
    });
    say({ ...job, visible: !document.hidden });
  });
}

/** Calls back when the browser has drawn; a hidden tab draws nothing, so there it is at once. */
function afterPaint(then: () => void): void {
  if (document.hidden) setTimeout(then);
  else requestAnimationFrame(() => setTimeout(then));
}
