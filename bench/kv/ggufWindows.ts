// ggufWindows.ts: which layers of a GGUF file's model see only a window of the tokens, and how long it is.
import { rulesOf } from '../../src/models/families/index.ts';
import { SHAPE_LIMITS } from '../../src/models/limits.ts';
import type { GgufFields } from './ggufFields.ts';

const WINDOW = 'attention.sliding_window';
const PATTERN = 'attention.sliding_window_pattern';

/** Model types of config.json files whose layers have the pattern of an architecture; files may leave it out. */
const TYPES: Readonly<Record<string, string>> = {
  gemma2: 'gemma2',
  gemma3: 'gemma3',
  gemma3n: 'gemma3n',
  gemma4: 'gemma4',
  cohere2: 'cohere2',
  exaone4: 'exaone4',
  'gpt-oss': 'gpt_oss',
  olmo2: 'olmo3',
};

/** Llama 4 sees chunks, of a size that files leave to the architecture; a window of 0 says that there are none. */
const CHUNKED = { architecture: 'llama4', type: 'llama4', period: 4 };

/** The window of each layer, and why, for people to read. */
export interface GgufWindows {
  readonly kind: 'local' | 'chunked';
  /** Tokens that a layer keeps at most; undefined where it keeps all. */
  readonly windowOf: (layer: number) => number | undefined;
  readonly notes: readonly string[];
}

/** Windows of the layers. Where it is not known which layers have one, none has: too large is the safe answer, and said. */
export function findGgufWindows(file: GgufFields, layers: number): GgufWindows {
  const window = file.whole(WINDOW, SHAPE_LIMITS.window, 0);
  const isChunked = file.architecture === CHUNKED.architecture && window !== 0;
  const kind = isChunked ? 'chunked' : 'local';
  const size = isChunked ? (rulesOf(CHUNKED.type).defaults!['attention_chunk_size'] as number) : window;
  if (size === undefined || size === 0) return { kind, windowOf: () => undefined, notes: [] };
  const rule = localLayers(file, layers);
  if (!rule) {
    const note = `${file.name(WINDOW)} (${size}): which layers see it is not known of ${file.architecture}, so all are counted with every token`;
    return { kind, windowOf: () => undefined, notes: [note] };
  }
  const count = rule.isLocal.filter(Boolean).length;
  const what = isChunked
    ? `chunk ${size} as in every ${file.architecture}`
    : `window ${size} from "${file.name(WINDOW)}"`;
  return {
    kind,
    windowOf: (layer) => (rule.isLocal[layer] ? size : undefined),
    notes: [`${count} ${kind} layers ${rule.why}; ${what}`],
  };
}

/** Which layers see the window: by a flag for each, by a period of which the last layer sees all, or by the architecture. */
function localLayers(
  file: GgufFields,
  layers: number,
): { isLocal: readonly boolean[]; why: string } | undefined {
  const flags = file.flags(PATTERN, layers);
  if (flags) return { isLocal: flags, why: `from "${file.name(PATTERN)}"` };
  const period = file.whole(PATTERN, SHAPE_LIMITS.layers, 0);
  if (period !== undefined)
    return { isLocal: byPeriod(layers, period), why: `by "${file.name(PATTERN)}" ${period}` };
  const usual = usualPeriod(file.architecture);
  if (usual === undefined) return undefined;
  return { isLocal: byPeriod(layers, usual), why: `as in every ${file.architecture}` };
}

function usualPeriod(architecture: string): number | undefined {
  if (architecture === CHUNKED.architecture) return CHUNKED.period;
  const type = TYPES[architecture];
  const period = type === undefined ? undefined : rulesOf(type).defaults?.['sliding_window_pattern'];
  return typeof period === 'number' ? period : undefined;
}

/** The last layer of each period sees every token; of a period of 0 none does. */
function byPeriod(layers: number, period: number): boolean[] {
  return Array.from({ length: layers }, (_, layer) => period === 0 || (layer + 1) % period !== 0);
}
