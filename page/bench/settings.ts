// settings.ts: what the page runs: the standard run, changed by URL parameters that bear the names of the command's long flags.
import { GqaError, KV_TYPES } from '../../src/index.ts';
import { DECODE_KERNELS } from '../../src/decode/planContext.ts';
import { CACHE_STATES, rowGroups, spectrum, type RowOptions } from '../../bench/run/rows.ts';
import { checkKvParam, KV_PARAMS } from '../cache/settings.ts';
import { checkModelParam, MODEL_PARAMS } from '../model/settings.ts';
import { STANDARD_DEPTHS, STANDARD_RUN } from '../../bench/run/standardRun.ts';

/** What is measured, and how; all of a run that does not depend on the host. */
export interface RunSettings extends RowOptions {
  readonly seed: number;
  readonly check: boolean;
  readonly reps?: number;
  readonly maxTimeMs?: number;
}

/** A parameter that is not as in the standard run; values as text, for the table on the page. */
export interface Change {
  readonly param: string;
  readonly value: string;
  readonly standard: string;
}

/** A page address, read. With any error nothing may run. */
export interface PageSettings {
  readonly run: RunSettings;
  /** Start without a click. */
  readonly autostart: boolean;
  readonly changes: readonly Change[];
  readonly errors: readonly string[];
}

const MAX_COUNT = 2 ** 24;

type Changed = { -readonly [K in keyof RunSettings]?: RunSettings[K] };

const READERS: Readonly<Record<string, (into: Changed, text: string) => void>> = {
  heads: (into, text) => (into.heads = count(text)),
  'kv-heads': (into, text) => (into.kvHeads = counts(text)),
  'head-dim': (into, text) => (into.headDim = count(text)),
  depth: (into, text) => (into.depths = counts(text)),
  capacity: (into, text) => (into.capacity = count(text)),
  batch: (into, text) => (into.batches = counts(text)),
  'cache-type-k': (into, text) => (into.kTypes = choices(text, KV_TYPES)),
  'cache-type-v': (into, text) => (into.vTypes = choices(text, KV_TYPES)),
  requests: (into, text) => (into.requests = text.split(',')),
  cache: (into, text) => (into.caches = choices(text, CACHE_STATES)),
  kernel: (into, text) => (into.kernels = choices(text, ['auto', ...DECODE_KERNELS])),
  reps: (into, text) => (into.reps = count(text)),
  'max-time': (into, text) => (into.maxTimeMs = 1000 * count(text)),
  seed: (into, text) => (into.seed = whole(text, 0, 2 ** 31)),
  'no-check': (into, text) => (into.check = !flag(text)),
};

/** Reads the query part of a page address ("?depth=512&run") for a device. Never throws: what is wrong is in `errors`. */
export function readSettings(query: string, software: boolean): PageSettings {
  const standard: RunSettings = {
    ...STANDARD_RUN,
    depths: STANDARD_DEPTHS[software ? 'software' : 'gpu'],
  };
  const changed: Changed = {};
  const errors: string[] = [];
  let autostart = false;
  const attempt = (act: () => void, where = '') => {
    try {
      act();
    } catch (error) {
      if (!(error instanceof GqaError)) throw error;
      errors.push(`${where}${error.message}`);
    }
  };
  const params = new URLSearchParams(query);
  for (const name of new Set(params.keys())) {
    const read = READERS[name];
    attempt(() => {
      if (params.getAll(name).length > 1) throw bad('is given more than once');
      if (name === 'run') autostart = flag(params.get(name)!);
      else if (read && Object.hasOwn(READERS, name)) read(changed, params.get(name)!);
      else if (MODEL_PARAMS.includes(name)) checkModelParam(name, params.get(name)!);
      else if (KV_PARAMS.includes(name)) checkKvParam(name, params.get(name)!);
      else
        throw bad(
          `is not known; known are ${[...Object.keys(READERS), 'run', ...MODEL_PARAMS, ...KV_PARAMS].join(', ')}`,
        );
    }, `${name} `);
  }
  const run = complete(standard, changed);
  if (errors.length === 0) attempt(() => rowGroups(run));
  return { run, autostart, changes: changesOf(standard, run), errors };
}

/** Fills in what the address left out; defaults of one parameter may hang on another, as on the command line. */
function complete(standard: RunSettings, changed: Changed): RunSettings {
  const run = { ...standard, ...changed };
  if (!changed.kvHeads && run.heads !== standard.heads) run.kvHeads = spectrum(run.heads, run.heads);
  if (!changed.vTypes) run.vTypes = run.kTypes;
  if (run.heads !== standard.heads || run.headDim !== standard.headDim) run.model = 'custom';
  return run;
}

const SHOWN: readonly (readonly [param: string, show: (run: RunSettings) => string])[] = [
  ['heads', (run) => `${run.heads}`],
  ['kv-heads', (run) => run.kvHeads.join(', ')],
  ['head-dim', (run) => `${run.headDim}`],
  ['depth', (run) => run.depths.join(', ')],
  ['capacity', (run) => (run.capacity === undefined ? 'as the depth' : `${run.capacity}`)],
  ['batch', (run) => run.batches.join(', ')],
  ['cache-type-k', (run) => run.kTypes.join(', ')],
  ['cache-type-v', (run) => run.vTypes.join(', ')],
  ['requests', (run) => run.requests?.join(', ') ?? 'equal'],
  ['cache', (run) => run.caches.join(', ')],
  ['kernel', (run) => run.kernels.join(', ')],
  ['reps', (run) => (run.reps === undefined ? 'until settled' : `${run.reps}`)],
  [
    'max-time',
    ({ maxTimeMs }) => (maxTimeMs === undefined ? 'by the number of rows' : `${maxTimeMs / 1000}`),
  ],
  ['seed', (run) => `${run.seed}`],
  ['no-check', (run) => (run.check ? 'no' : 'yes')],
];

function changesOf(standard: RunSettings, run: RunSettings): Change[] {
  return SHOWN.map(([param, show]) => ({ param, value: show(run), standard: show(standard) })).filter(
    ({ value, standard: usual }) => value !== usual,
  );
}

function bad(message: string): GqaError {
  return new GqaError('usage', message);
}

function whole(text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || value < min || value > max) {
    throw bad(`must be a whole number from ${min} to ${max}, got "${text}"`);
  }
  return value;
}

function count(text: string): number {
  return whole(text, 1, MAX_COUNT);
}

function counts(text: string): number[] {
  return [...new Set(text.split(',').map((part) => count(part.trim())))];
}

function choices<T extends string>(text: string, known: readonly T[]): T[] {
  return text.split(',').map((word) => {
    const found = known.find((choice) => choice === word.trim());
    if (found === undefined) throw bad(`must be of ${known.join(', ')}, got "${word.trim()}"`);
    return found;
  });
}

/** `?run`, `?run=1` and `?run=true` are all yes; `0` and `false` are no. */
function flag(text: string): boolean {
  if (!['', '1', 'true', '0', 'false'].includes(text)) throw bad(`takes no value, 1 or 0, got "${text}"`);
  return text !== '0' && text !== 'false';
}
