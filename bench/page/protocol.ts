// protocol.ts: what the page and its worker say to each other.
import type { BenchEvent, BenchOptions } from '../run.ts';
import type { BenchResult } from '../schema.ts';

/** A run without what cannot travel between threads. */
export type RunRequest = Omit<BenchOptions, 'signal' | 'quiet' | 'guard'>;

/** To the worker. It takes no step after an event before it hears `next`: the page draws between samples only. */
export type ToWorker =
  | { readonly type: 'start'; readonly request: RunRequest; readonly visible: boolean }
  | { readonly type: 'next' }
  | { readonly type: 'visible'; readonly visible: boolean };

/** From the worker. `done` and `failed` are its last words. */
export type FromWorker =
  | BenchEvent
  | { readonly type: 'done'; readonly result: BenchResult }
  | { readonly type: 'failed'; readonly code: string; readonly message: string };
