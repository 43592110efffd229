// params.ts: the parameters of an address that say what is measured: how each is read, and how its value is written. Names are the command's.
import { GqaError, KV_TYPES, type KernelChoice } from '../../src/index.ts';
import { PAGE_SIZES } from '../../src/cache/pagePool.ts';
import { DECODE_KERNELS } from '../../src/decode/planContext.ts';
import { MAX_Q_LEN } from '../../src/kernels/shape.ts';
import { isPreset, nearestPresets, type ModelShape, findPreset } from '../../src/models/presets.ts';
import {
  choiceList,
  tokenCount,
  tokenCounts,
  wholeNumber,
  wholeNumbers,
} from '../../src/numbers/argumentText.ts';
import { CACHE_STATES, type RowOptions } from '../../bench/run/rows.ts';
import { parseFeatures } from '../../bench/run/variations.ts';

/** What is measured, and how; all of a run that does not depend on the host. */
export interface RunSettings extends RowOptions {
  readonly seed: number;
  readonly check: boolean;
  readonly reps?: number;
  readonly maxTimeMs?: number;
  /** Whether what was tuned in this browser is used. */
  readonly tuning: boolean;
}

/** Of the settings what an address gives. */
export type Given = { -readonly [K in keyof Omit<RunSettings, 'model'>]?: RunSettings[K] } & {
  model?: ModelShape;
};

/** A parameter: reads its text into what is given, throws GqaError; and writes the value that settings have. */
export interface Param {
  readonly read: (into: Given, text: string) => void;
  readonly show: (run: RunSettings) => string;
}

/** Most of anything that is allocated or timed: tokens, sequences, heads. */
const MAX_COUNT = 2 ** 24;

const count = (text: string) => wholeNumber(text, 1, MAX_COUNT);
const counts = (text: string) => wholeNumbers(text, 1, MAX_COUNT);

export const PARAMS: Readonly<Record<string, Param>> = {
  model: { read: (into, text) => (into.model = preset(text)), show: (run) => run.model },
  heads: { read: (into, text) => (into.heads = count(text)), show: (run) => `${run.heads}` },
  'kv-heads': { read: (into, text) => (into.kvHeads = counts(text)), show: (run) => run.kvHeads.join(',') },
  'head-dim': { read: (into, text) => (into.headDim = count(text)), show: (run) => `${run.headDim}` },
  depth: {
    read: (into, text) => (into.depths = tokenCounts(text, 1, MAX_COUNT)),
    show: (run) => run.depths.join(','),
  },
  capacity: {
    read: (into, text) => (into.capacity = tokenCount(text, 1, MAX_COUNT)),
    show: (run) => (run.capacity === undefined ? 'as the depth' : `${run.capacity}`),
  },
  batch: { read: (into, text) => (into.batches = counts(text)), show: (run) => run.batches.join(',') },
  'cache-type-k': {
    read: (into, text) => (into.kTypes = choiceList(text, KV_TYPES)),
    show: (run) => run.kTypes.join(','),
  },
  'cache-type-v': {
    read: (into, text) => (into.vTypes = choiceList(text, KV_TYPES)),
    show: (run) => run.vTypes.join(','),
  },
  requests: {
    read: (into, text) => (into.requests = text.split(',')),
    show: (run) => run.requests?.join(',') ?? 'equal',
  },
  prompt: {
    read: (into, text) => (into.prompts = wholeNumbers(text, 2, MAX_Q_LEN)),
    show: (run) => run.prompts?.join(',') ?? 'none',
  },
  'page-size': {
    read: (into, text) => (into.pageSizes = pageSizes(text)),
    show: (run) => run.pageSizes?.join(',') ?? '0',
  },
  window: {
    read: (into, text) => (into.windows = wholeNumbers(text, 0, MAX_COUNT)),
    show: (run) => run.windows?.join(',') ?? '0',
  },
  'shared-prefix': {
    read: (into, text) => (into.sharedPrefixes = wholeNumbers(text, 0, MAX_COUNT)),
    show: (run) => run.sharedPrefixes?.join(',') ?? '0',
  },
  features: {
    read: (into, text) => (into.features = parseFeatures(text)),
    show: (run) => (run.features ?? [[]]).map((names) => names.join('+') || 'none').join(','),
  },
  cache: {
    read: (into, text) => (into.caches = choiceList(text, CACHE_STATES)),
    show: (run) => run.caches.join(','),
  },
  kernel: {
    read: (into, text) =>
      (into.kernels = [...new Set(choiceList<KernelChoice>(text, ['auto', ...DECODE_KERNELS]))]),
    show: (run) => run.kernels.join(','),
  },
  'no-tuning': {
    read: (into, text) => (into.tuning = !readFlag(text)),
    show: (run) => (run.tuning ? 'no' : 'yes'),
  },
  reps: {
    read: (into, text) => (into.reps = count(text)),
    show: (run) => (run.reps === undefined ? 'until settled' : `${run.reps}`),
  },
  'max-time': {
    read: (into, text) => (into.maxTimeMs = 1000 * count(text)),
    show: ({ maxTimeMs }) => (maxTimeMs === undefined ? 'by the number of rows' : `${maxTimeMs / 1000}`),
  },
  seed: {
    read: (into, text) => (into.seed = wholeNumber(text, 0, 2 ** 32 - 1)),
    show: (run) => `${run.seed}`,
  },
  'no-check': {
    read: (into, text) => (into.check = !readFlag(text)),
    show: (run) => (run.check ? 'no' : 'yes'),
  },
};

/** `?run`, `?run=1` and `?run=true` are all yes; `0` and `false` are no. */
export function readFlag(text: string): boolean {
  if (!['', '1', 'true', '0', 'false'].includes(text))
    throw new GqaError('usage', `expected no value, 1 or 0, got "${text}"`);
  return text !== '0' && text !== 'false';
}

function preset(text: string): ModelShape {
  if (isPreset(text)) return findPreset(text);
  const nearest = nearestPresets(text).join(', ');
  throw new GqaError(
    'usage',
    `expected the name of a preset, got "${text}"; nearest: ${nearest} (for a config.json see the tab KV cache)`,
  );
}

function pageSizes(text: string): number[] {
  const sizes = wholeNumbers(text, 0, MAX_COUNT);
  const bad = sizes.find((size) => size > 0 && !PAGE_SIZES.includes(size));
  if (bad === undefined) return sizes;
  throw new GqaError('usage', `expected 0 or ${PAGE_SIZES.join(', ')}, got "${bad}"`);
}
