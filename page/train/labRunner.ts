// labRunner.ts: the page's side of a run of the lab: its worker, its events, a pause, how it ended.
import { inWorker, type Ended } from '../shell/inWorker.ts';
import type { FromLabWorker, LabEvent, LabRequest, ToLabWorker } from './protocol.ts';

/** How a run ended. */
export type LabOutcome = { readonly state: 'done' } | Ended;

/** A run under way. */
export interface LabRun {
  readonly outcome: Promise<LabOutcome>;
  /** Holds it between two steps, and lets it go on from there. */
  readonly setPaused: (paused: boolean) => void;
}

/** Runs in a worker of its own and calls `draw` with every event. An abort ends it at once, with its device. */
export function startLab(request: LabRequest, signal: AbortSignal, draw: (event: LabEvent) => void): LabRun {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  const outcome = inWorker<LabOutcome>(worker, { type: 'start', request }, signal, (data) => {
    const message = data as FromLabWorker;
    if (message.type === 'done') return { state: 'done' };
    if (message.type === 'failed') return { state: 'error', code: message.code, message: message.message };
    draw(message);
    return undefined;
  });
  return {
    outcome,
    setPaused: (paused) => {
      const message: ToLabWorker = { type: 'pause', paused };
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker has no origin to name
      worker.postMessage(message);
    },
  };
}
