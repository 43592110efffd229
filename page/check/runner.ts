// runner.ts: the page's side of a check: its worker, its events, how it ended.
import { inWorker, type Ended } from '../shell/inWorker.ts';
import type { CheckEvent, CheckRequest, FromCheckWorker } from './protocol.ts';

/** How a check ended. */
export type CheckOutcome = { readonly state: 'done' } | Ended;

/** Checks in a worker of its own, and calls `draw` with every event. */
export function checkInWorker(
  request: CheckRequest,
  signal: AbortSignal,
  draw: (event: CheckEvent) => void,
): Promise<CheckOutcome> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  return inWorker<CheckOutcome>(worker, { type: 'check', request }, signal, (data) => {
    const message = data as FromCheckWorker;
    if (message.type === 'done') return { state: 'done' };
    if (message.type === 'failed') return { state: 'error', code: message.code, message: message.message };
    draw(message);
    return undefined;
  });
}
