// runHeads.ts: single numbers of KV heads measured beside a run, as settings have the rest: for a picture that asks for one more.
import type { CeilingContext } from '../../bench/schema/schema.ts';
import type { PageEvent } from './protocol.ts';
import { runRequest } from './requests.ts';
import { runInWorker, type Outcome } from './runner.ts';
import type { PageSettings } from './settings.ts';

/** What a run of single rows is told. The caller has the GPU (`GpuUse.begin`) until it has ended. */
export interface HeadsRun {
  /** As `readSettings` reads them of the address. */
  readonly settings: PageSettings;
  readonly kvHeads: readonly number[];
  /** Tokens; default: the deepest context of the settings. */
  readonly depth?: number;
  /** Of the run that these rows stand beside; without it one is measured, which takes seconds. */
  readonly ceiling?: CeilingContext;
  readonly signal: AbortSignal;
  readonly draw: (event: PageEvent) => void;
}

/** Checks and times these rows, each as a run of the page does. */
export function runHeads(run: HeadsRun): Promise<Outcome> {
  const { settings, kvHeads, ceiling, signal, draw } = run;
  const { depth = Math.max(...settings.run.depths) } = run;
  const request = runRequest({ ...settings, run: { ...settings.run, kvHeads, depths: [depth] } });
  return runInWorker({ type: 'start', request: { ...request, ...(ceiling && { ceiling }) } }, signal, draw);
}
