// compareSettings.ts: the settings of a run as values, so that runs of the same settings are alike however these were said.
import type { StoredParams } from '../schema/storedSchema.ts';
import type { WholeParams, WholeResult } from '../schema/wholeSchema.ts';
import { isWholeResult, type ComparedResult } from './compareKinds.ts';

/** Settings by the command's long flags, as text that is the same for the same value. */
export type Settings = Readonly<Record<string, string>>;

const STANDARD = 'standard';

/** Flags whose values every row has, and what a row says of each; undefined where it says nothing. */
const OF_ROWS: Readonly<Record<string, (params: StoredParams) => string | number | undefined>> = {
  heads: ({ heads }) => heads,
  'kv-heads': ({ kvHeads }) => kvHeads,
  'head-dim': ({ headDim }) => headDim,
  depth: ({ depth, requests }) => (requests === undefined ? depth : undefined),
  capacity: ({ capacity, depth }) => (capacity === depth ? undefined : capacity),
  batch: ({ batch, requests }) => (requests === undefined ? batch : undefined),
  'cache-type-k': ({ kType }) => kType,
  'cache-type-v': ({ vType }) => vType,
  requests: ({ requests }) => requests,
  cache: ({ cache }) => cache,
  kernel: ({ kernel }) => kernel,
};

const OF_WHOLE_ROWS: Readonly<Record<string, (params: WholeParams) => string | number | undefined>> = {
  'kv-heads': ({ kvHeads }) => kvHeads,
  method: ({ method }) => method,
  depth: ({ depth, prompt }) => (prompt === undefined ? depth : undefined),
  prompt: ({ prompt }) => prompt,
  batch: ({ batch }) => batch,
  'cache-type-k': ({ kType }) => kType,
  'cache-type-v': ({ vType }) => vType,
  'weight-type': ({ weightType }) => weightType,
};

/** Of other flags only what was not as in the standard run is known, as text; of some a value has several texts. */
const OTHERS: Readonly<Record<string, (said: Settings) => string>> = {
  reps: ({ reps }) => reps ?? STANDARD,
  'max-time': (said) => said['max-time'] ?? STANDARD,
  check: (said) => (said.check === 'false' || said['no-check'] === 'yes' ? 'no' : STANDARD),
};

/** Their values are compared elsewhere: the model's with the rows, the seed's with the conditions. */
const ELSEWHERE = ['model', 'seed', 'no-check'];

/** The settings of a run. Lists are sorted, and a value given twice counts once: neither changes what is measured. */
export function settingsOf(result: ComparedResult): Settings {
  if (isWholeResult(result)) return wholeSettings(result);
  const { nonStandard } = result.context;
  const { results } = result;
  const settings: Record<string, string> = {};
  for (const [flag, text] of Object.entries(nonStandard)) {
    if (!ELSEWHERE.includes(flag)) settings[flag] = listed(text.split(',').map((part) => part.trim()));
  }
  for (const [flag, valueOf] of Object.entries(OTHERS)) settings[flag] = valueOf(nonStandard);
  if (results.length === 0) return settings;
  for (const [flag, valueOf] of Object.entries(OF_ROWS)) {
    settings[flag] = listed(results.flatMap(({ params }) => valueOf(params) ?? []));
  }
  return settings;
}

/** Of whole models' runs all that is known is what rows say. */
function wholeSettings({ context: { randomWeights }, results }: WholeResult): Settings {
  const settings: Record<string, string> = { whole: randomWeights ? 'random weights' : 'a checkpoint' };
  for (const [flag, valueOf] of Object.entries(OF_WHOLE_ROWS)) {
    settings[flag] = listed(results.flatMap(({ params }) => valueOf(params) ?? []));
  }
  return settings;
}

function listed(values: readonly (string | number)[]): string {
  const sorted = [...new Set(values)].toSorted((a, b) =>
    typeof a === 'number' && typeof b === 'number' ? a - b : String(a) < String(b) ? -1 : 1,
  );
  return sorted.join(', ') || STANDARD;
}

/** Settings that two runs do not share, by flag. What one of them does not tell is the standard. */
export function differentSettings(
  a: ComparedResult,
  b: ComparedResult,
): { name: string; a: string; b: string }[] {
  const [ofA, ofB] = [settingsOf(a), settingsOf(b)];
  const flags = [...new Set([...Object.keys(ofA), ...Object.keys(ofB)])];
  return flags
    .map((flag) => ({ name: `--${flag}`, a: ofA[flag] ?? STANDARD, b: ofB[flag] ?? STANDARD }))
    .filter((each) => each.a !== each.b);
}
