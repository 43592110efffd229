// protocol.ts: what the page and its worker say to each other.
import type { WorkloadParams } from '../../bench/run/workload.ts';
import type { BenchEvent } from '../../bench/run/run.ts';
import type { BenchOptions } from '../../bench/run/options.ts';
import type { BenchResult } from '../../bench/schema/schema.ts';
import type { Tuned } from '../../bench/tune/tune.ts';
import type { Failed } from '../shell/onDevice.ts';

/** What a run reports to the page; errors come as text, with its last word. */
export type PageEvent = Exclude<BenchEvent, { type: 'failed' }>;

/** A run without what cannot travel between threads. */
export type RunRequest = Omit<BenchOptions, 'signal' | 'quiet' | 'guard'>;

/** Classes of shapes to tune for, each at several depths. */
export interface TuneRequest {
  readonly classes: readonly (readonly WorkloadParams[])[];
  readonly seed: number;
}

/** To the worker. It takes no step after an event before it hears `next`: the page draws between samples only. */
export type ToWorker =
  | { readonly type: 'start'; readonly request: RunRequest; readonly visible: boolean }
  | { readonly type: 'tune'; readonly request: TuneRequest; readonly visible: boolean }
  | { readonly type: 'next' }
  /** A run ends after the sample under way, with what is finished. */
  | { readonly type: 'stop' }
  | { readonly type: 'visible'; readonly visible: boolean };

/** From the worker. `done`, `tuned` and `failed` are its last words. */
export type FromWorker =
  | PageEvent
  | { readonly type: 'done'; readonly result: BenchResult }
  | { readonly type: 'tuned'; readonly found: readonly Tuned[] }
  | (Failed & {
      /** Of the rows that were finished, if any were. */
      readonly result?: BenchResult;
    });
