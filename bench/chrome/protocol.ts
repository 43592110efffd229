// protocol.ts: what Node and the page that it has a browser run say to each other, by HTTP: the page asks, Node answers.
//
// The page holds a request for `stop` open all the while: its answer ends the run early, and its end says that the page is
// gone. Each message is posted to `say`, and the run goes on when it is answered: nothing of it happens during a sample.
import type { BenchOptions } from '../run/options.ts';
import type { BenchEvent } from '../run/run.ts';
import type { BenchResult } from '../schema/schema.ts';

/** A run without what cannot travel between processes. */
export type ChromeRequest = Omit<BenchOptions, 'signal' | 'quiet' | 'guard'>;

/** First of all: on what the page would run. The answer is the ChromeRequest. */
export interface Ready {
  readonly type: 'ready';
  readonly adapterName: string;
  readonly software: boolean;
  readonly runtime: { readonly kind: string; readonly version: string };
  readonly crossOriginIsolated: boolean;
}

/** What the page says. `done` and `failed` are its last words. */
export type FromChrome =
  | Ready
  | Extract<BenchEvent, { type: 'progress' | 'soFar' }>
  | { readonly type: 'done'; readonly result: BenchResult }
  | {
      readonly type: 'failed';
      /** Of a GqaError; else `unexpected`. */
      readonly code: string;
      readonly message: string;
      /** Of the rows that were finished, if any were. */
      readonly result?: BenchResult;
    };

/** Where the page is asked for; `#TOKEN` stands behind it. */
export const CHROME_PAGE = 'headless/';

/** Where the page asks. Who does not know the token, and every page but the one that was opened does not, gets no answer. */
export function pathsOf(token: string): { readonly stop: string; readonly say: string } {
  return { stop: `/run/${token}/stop`, say: `/run/${token}/say` };
}

/** The key of a number that JSON does not have: an error may be infinite. */
const NUMBER = '$number';

/** JSON, in which every number is kept. */
export function toText(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'number' && !Number.isFinite(each) ? { [NUMBER]: String(each) } : each,
  );
}

/** The value of `toText`. */
export function fromText(text: string): unknown {
  return JSON.parse(text, (_, each: unknown) =>
    typeof each === 'object' && each !== null && NUMBER in each ? Number(each[NUMBER]) : each,
  );
}
