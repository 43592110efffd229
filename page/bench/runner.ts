// runner.ts: the page's side of a run of the benchmark: its worker, its events, how it ended.
import type { BenchResult } from '../../bench/schema/schema.ts';
import type { Tuned } from '../../bench/tune/tune.ts';
import { inWorker, type Ended } from '../shell/inWorker.ts';
import type { FromWorker, PageEvent, RunRequest, ToWorker, TuneRequest } from './protocol.ts';

/** How a run or a tuning ended. */
export type Outcome =
  | { readonly state: 'done'; readonly result: BenchResult }
  | { readonly state: 'tuned'; readonly found: readonly Tuned[] }
  | (Ended & { readonly result?: BenchResult });

/** What to do: the worker's first message, less what the runner adds. */
export type Job =
  | { readonly type: 'start'; readonly request: RunRequest }
  | { readonly type: 'tune'; readonly request: TuneRequest };

/**
 * Runs in a worker of its own and calls `draw` with every event; the run goes on when what was drawn is on screen.
 */
export function runInWorker(
  job: Job,
  signal: AbortSignal,
  draw: (event: PageEvent) => void,
): Promise<Outcome> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  return inWorker<Outcome>(worker, job, signal, (data, answer) => {
    const message = data as FromWorker;
    if (message.type === 'done') return { state: 'done', result: message.result };
    if (message.type === 'tuned') return { state: 'tuned', found: message.found };
    if (message.type === 'failed') {
      const { type: _, ...failure } = message;
      return { state: 'error', ...failure };
    }
    draw(message);
    afterPaint(() => answer({ type: 'next' } satisfies ToWorker));
    return undefined;
  });
}

/** Calls back when the browser has drawn; a hidden tab draws nothing, so there it is at once. */
function afterPaint(then: () => void): void {
  if (document.hidden) setTimeout(then);
  else requestAnimationFrame(() => setTimeout(then));
}
