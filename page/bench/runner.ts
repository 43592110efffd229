// runner.ts: the page's side of a run of the benchmark: its worker, its events, how it ended.
import type { BenchResult } from '../../bench/schema/schema.ts';
import { partialFields } from '../../bench/run/endedEarly.ts';
import type { Tuned } from '../../bench/tune/tune.ts';
import { inWorker, type Ended } from '../shell/inWorker.ts';
import type { FromWorker, PageEvent, RunRequest, ToWorker, TuneRequest } from './protocol.ts';

/** How a run or a tuning ended; a run that was stopped or failed has a result of the rows that it finished, if any. */
export type Outcome =
  | { readonly state: 'done'; readonly result: BenchResult }
  | { readonly state: 'tuned'; readonly found: readonly Tuned[] }
  | (Ended & { readonly result?: BenchResult });

/** What to do: the worker's first message, less what the runner adds. */
export type Job =
  | { readonly type: 'start'; readonly request: RunRequest }
  | { readonly type: 'tune'; readonly request: TuneRequest };

/** A worker that computes a reference hears of nothing else for longer than a reader waits. */
const GRACE = { message: { type: 'stop' } satisfies ToWorker, ms: 1000 };

/**
 * Runs in a worker of its own and calls `draw` with every event; the run goes on when what was drawn is on screen. An abort
 * ends it after the sample under way, or a second later at the latest, with the rows that are finished.
 */
export async function runInWorker(
  job: Job,
  signal: AbortSignal,
  draw: (event: PageEvent) => void,
): Promise<Outcome> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  let soFar: BenchResult | undefined;
  const take = (data: unknown, answer: (message: unknown) => void): Outcome | undefined => {
    const message = data as FromWorker;
    if (message.type === 'done' || message.type === 'tuned' || message.type === 'failed')
      return endOf(message);
    if (message.type === 'soFar') soFar = message.result;
    else draw(message);
    afterPaint(() => answer({ type: 'next' } satisfies ToWorker));
    return undefined;
  };
  const outcome = await inWorker<Outcome>(
    worker,
    job,
    signal,
    take,
    job.type === 'start' ? GRACE : undefined,
  );
  // One that did not end by itself leaves what it had sent.
  const isCut = outcome.state === 'stopped' || outcome.state === 'error';
  return isCut && !('result' in outcome) && soFar
    ? { ...outcome, result: cutShort(soFar, outcome) }
    : outcome;
}

function endOf(message: Extract<FromWorker, { type: 'done' | 'tuned' | 'failed' }>): Outcome {
  if (message.type === 'tuned') return { state: 'tuned', found: message.found };
  if (message.type === 'done') {
    const { result } = message;
    return result.context.partial?.code === 'interrupted'
      ? { state: 'stopped', result }
      : { state: 'done', result };
  }
  if (message.code === 'interrupted') return { state: 'stopped' };
  const { type: _, ...failure } = message;
  return { state: 'error', ...failure };
}

/** A result that was written while its run went on, as one that has ended before its time. */
function cutShort({ context, results, ...rest }: BenchResult, ended: Ended): BenchResult {
  const { partial: written, warnings, ...known } = context;
  const why =
    ended.state === 'error'
      ? { code: ended.code, reason: ended.message }
      : { code: 'interrupted', reason: 'stopped on the page' };
  const fields = partialFields({ ...why, rows: written!.rows }, results.length);
  const others = warnings.filter(({ code }) => code !== 'partial');
  return { ...rest, context: { ...known, ...fields, warnings: [...fields.warnings, ...others] }, results };
}

/** Calls back when the browser has drawn; a hidden tab draws nothing, so there it is at once. */
function afterPaint(then: () => void): void {
  if (document.hidden) setTimeout(then);
  else requestAnimationFrame(() => setTimeout(then));
}
