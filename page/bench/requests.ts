// requests.ts: what a worker is asked to do, by the settings of the page and what the browser knows.
import { version } from '../../package.json';
import { workloadsAt } from '../../bench/tune/tune.ts';
import { describeBrowser } from '../shell/browser.ts';
import type { RunRequest, TuneRequest } from './protocol.ts';
import type { PageSettings } from './settings.ts';
import { rememberedTuning, TUNING_SOURCE } from './tuning.ts';

/** A run of the benchmark. */
export function runRequest({ run, changes }: PageSettings): RunRequest {
  const { tuning, ...options } = run;
  const context = {
    version,
    runtime: describeBrowser(navigator.userAgent),
    nonStandard: Object.fromEntries(changes.map(({ param, value }) => [param, value])),
    crossOriginIsolated: globalThis.crossOriginIsolated,
  };
  const tuned = tuning ? { tuning: rememberedTuning().tuning, tuningSource: TUNING_SOURCE } : {};
  return { ...options, ...tuned, context };
}

/** The classes of shapes that the rows fall in, each at all depths of the run. */
export function tuneRequest({ run }: PageSettings): TuneRequest {
  const { model, heads, headDim, batches, kTypes, vTypes, kvHeads, depths, seed } = run;
  const classes = batches.flatMap((batch) =>
    kTypes.flatMap((kType, i) =>
      kvHeads.map((kv) => {
        const vType = vTypes[i] ?? kType;
        return workloadsAt({ model, heads, kvHeads: kv, headDim, batch, kType, vType }, depths);
      }),
    ),
  );
  return { classes, seed };
}
