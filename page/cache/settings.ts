// settings.ts: what is asked of the calculator, as it is typed and as it stands in the page's address.
import type { KvReportRequest } from '../../bench/kv/kvReport.ts';
import { GqaError, KV_TYPES, type KvType } from '../../src/index.ts';
import { findPreset } from '../../src/models/presets.ts';
import { parseTokens } from '../../src/numbers/tokens.ts';

/** Texts by field. V's type may be left empty, which is K's, and the bandwidth, which is none. */
export type KvTexts = Readonly<Record<KvField, string>>;

export type KvField = 'model' | 'depth' | 'batch' | 'typeK' | 'typeV' | 'memory' | 'gbps';

/** What the command takes where nothing is said, and a model to begin with. */
export const KV_STANDARD: KvTexts = {
  model: 'llama-3.1-8b',
  depth: '8192',
  batch: '1',
  typeK: 'f16',
  typeV: '',
  memory: '16',
  gbps: '',
};

/** Parameters of the address: long flags of `gqa kv`, with its name before them, for the first tab has some of the same. */
const PARAMS: Readonly<Record<string, KvField>> = {
  'kv-model': 'model',
  'kv-depth': 'depth',
  'kv-batch': 'batch',
  'kv-cache-type-k': 'typeK',
  'kv-cache-type-v': 'typeV',
  'kv-memory': 'memory',
  'kv-gbps': 'gbps',
};

/** Their names. */
export const KV_PARAMS: readonly string[] = Object.keys(PARAMS);

/** Throws a GqaError unless a parameter may have this value. */
export function checkKvParam(name: string, value: string): void {
  READERS[PARAMS[name]!](value);
}

const READERS = {
  model: (text: string) => findPreset(text).name,
  depth: (text: string) => {
    const tokens = parseTokens(text);
    if (tokens === undefined || !Number.isSafeInteger(tokens) || tokens < 1)
      throw bad('a number of tokens, as 8192 or 8k', text);
    return tokens;
  },
  batch: (text: string) => {
    const value = Number(text);
    if (!/^\d+$/.test(text.trim()) || !Number.isSafeInteger(value) || value < 1)
      throw bad('a whole number of at least 1', text);
    return value;
  },
  typeK: cacheType,
  typeV: (text: string) => (text === '' ? undefined : cacheType(text)),
  memory: positive,
  gbps: (text: string) => (text.trim() === '' ? undefined : positive(text)),
} satisfies Record<KvField, (text: string) => unknown>;

function cacheType(text: string): KvType {
  const found = KV_TYPES.find((type) => type === text);
  if (found === undefined) throw bad(`one of ${KV_TYPES.join(', ')}`, text);
  return found;
}

function positive(text: string): number {
  const value = Number(text);
  if (!/^\d*\.?\d+$/.test(text.trim()) || !Number.isFinite(value) || value <= 0)
    throw bad('a number above 0', text);
  return value;
}

function bad(expected: string, text: string): GqaError {
  return new GqaError('usage', `must be ${expected}, got "${text}"`);
}

/** What texts ask for, or what is wrong with which of them. */
export type KvQuestion =
  | { readonly request: KvReportRequest }
  | { readonly faults: Readonly<Partial<Record<KvField, string>>> };

/** Reads all fields but the model. */
export function readQuestion(texts: KvTexts): KvQuestion {
  const faults: Partial<Record<KvField, string>> = {};
  const read = <F extends KvField>(field: F): ReturnType<(typeof READERS)[F]> | undefined => {
    try {
      return READERS[field](texts[field]) as ReturnType<(typeof READERS)[F]>;
    } catch (error) {
      if (!(error instanceof GqaError)) throw error;
      faults[field] = error.message;
      return undefined;
    }
  };
  const [depth, batch, typeK, typeV] = [read('depth'), read('batch'), read('typeK'), read('typeV')];
  const [memoryGiB, gbps] = [read('memory'), read('gbps')];
  if (Object.keys(faults).length > 0) return { faults };
  return {
    request: {
      depths: [depth!],
      batch: batch!,
      typeK: typeK!,
      typeV: typeV ?? typeK!,
      memoryGiB: memoryGiB!,
      ...(gbps !== undefined && { gbps }),
    },
  };
}

/** The texts of an address; the standard ones where it says nothing. What is wrong stays, to be said beside its field. */
export function readKvTexts(query: string): KvTexts {
  const params = new URLSearchParams(query);
  const given = Object.entries(PARAMS).flatMap(([name, field]) => {
    const value = params.get(name);
    return value === null ? [] : [[field, value]];
  });
  return { ...KV_STANDARD, ...(Object.fromEntries(given) as Partial<KvTexts>) };
}

/** The query of an address with these texts; what is standard is left out, and other parameters stay. */
export function withKvTexts(query: string, texts: KvTexts): string {
  const params = new URLSearchParams(query);
  for (const [name, field] of Object.entries(PARAMS)) {
    if (texts[field] === KV_STANDARD[field]) params.delete(name);
    else params.set(name, texts[field]);
  }
  // As people write it: a parameter without a value has no "=".
  const text = params
    .toString()
    .replaceAll(/=(?=&|$)/g, '')
    .replaceAll('%2C', ',');
  return text === '' ? '' : `?${text}`;
}
