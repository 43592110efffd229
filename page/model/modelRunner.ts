// modelRunner.ts: the page's side of work on a model: its worker, its events, how it ended.
import { inWorker, type Ended } from '../shell/inWorker.ts';
import type { ModelFolder } from './files.ts';
import type {
  FromModelWorker,
  GenerateEvent,
  GenerateRequest,
  ModelFacts,
  ToModelWorker,
} from './protocol.ts';

/** How work on a model ended. */
export type ModelOutcome =
  | { readonly state: 'described'; readonly facts: ModelFacts }
  | { readonly state: 'done' }
  | Ended;

/** Reads what a model is. */
export function describeInWorker(folder: ModelFolder, signal: AbortSignal): Promise<ModelOutcome> {
  return modelInWorker({ type: 'describe', folder }, signal, () => {});
}

/** Makes texts, and calls `draw` with every event. The worker does not wait for it: that would be in the times. */
export function generateInWorker(
  request: GenerateRequest,
  signal: AbortSignal,
  draw: (event: GenerateEvent) => void,
): Promise<ModelOutcome> {
  return modelInWorker({ type: 'generate', request }, signal, draw);
}

/** The worker's first message, less what is added to every one. */
type Job =
  | Omit<Extract<ToModelWorker, { type: 'describe' }>, 'visible'>
  | Omit<Extract<ToModelWorker, { type: 'generate' }>, 'visible'>;

function modelInWorker(
  job: Job,
  signal: AbortSignal,
  draw: (event: GenerateEvent) => void,
): Promise<ModelOutcome> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  return inWorker<ModelOutcome>(worker, job, signal, (data) => {
    const message = data as FromModelWorker;
    if (message.type === 'described') return { state: 'described', facts: message.facts };
    if (message.type === 'done') return { state: 'done' };
    if (message.type === 'failed') return { state: 'error', code: message.code, message: message.message };
    draw(message);
    return undefined;
  });
}
