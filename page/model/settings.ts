// settings.ts: what of a model's form stands in the page's address: how KV heads are merged, and the type of the cache.
import { METHODS, type Method } from '../../src/checkpoint/convert/plan.ts';
import { GqaError, KV_TYPES, type KvType } from '../../src/index.ts';

export interface ModelSettings {
  /** How fewer KV heads are made of the checkpoint's. */
  readonly method: Method;
  /** Element type of K and V. */
  readonly cacheType: KvType;
}

const STANDARD: ModelSettings = { method: 'mean', cacheType: 'f16' };

/** Parameters of the address, and the values that each may have. */
const PARAMS = {
  'model-method': ['method', METHODS],
  'model-cache-type': ['cacheType', KV_TYPES],
} as const satisfies Record<string, readonly [keyof ModelSettings, readonly string[]]>;

/** Their names. */
export const MODEL_PARAMS: readonly string[] = Object.keys(PARAMS);

/** Throws GqaError unless a parameter may have this value. */
export function checkModelParam(name: string, value: string): void {
  const [, known] = PARAMS[name as keyof typeof PARAMS];
  if ((known as readonly string[]).includes(value)) return;
  throw new GqaError('usage', `must be one of ${known.join(', ')}, got "${value}"`);
}

/** The settings of an address; the standard ones in place of what is wrong, which the page says. */
export function readModelSettings(query: string): ModelSettings {
  const params = new URLSearchParams(query);
  const given = Object.entries(PARAMS).flatMap(([name, [field, known]]) => {
    const value = params.get(name);
    return value !== null && (known as readonly string[]).includes(value) ? [[field, value]] : [];
  });
  return { ...STANDARD, ...(Object.fromEntries(given) as Partial<ModelSettings>) };
}

/** The query of an address with these settings; what is standard is left out, and other parameters stay. */
export function withModelSettings(query: string, settings: ModelSettings): string {
  const params = new URLSearchParams(query);
  for (const [name, [field]] of Object.entries(PARAMS)) {
    if (settings[field] === STANDARD[field]) params.delete(name);
    else params.set(name, settings[field]);
  }
  // As people write it: a parameter without a value has no "=".
  const text = params
    .toString()
    .replaceAll(/=(?=&|$)/g, '')
    .replaceAll('%2C', ',');
  return text === '' ? '' : `?${text}`;
}
