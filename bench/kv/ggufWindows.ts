// ggufWindows.ts: which layers of a GGUF file's model see only a window of the tokens, and how long it is.
import { ShapeError } from '../../src/device/errors.ts';
import { show } from '../../src/models/configFields.ts';
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

/** The window of each layer, and why, for people to read. */
export interface GgufWindows {
  /** Tokens that a layer keeps; undefined where it keeps all. */
  readonly windowOf: (layer: number) => number | undefined;
  readonly notes: readonly string[];
}

/** Windows of the layers. Where it is not known which layers have one, none has: too large is the safe answer, and said. */
export function findGgufWindows(file: GgufFields, layers: number): GgufWindows {
  const window = file.whole(WINDOW, SHAPE_LIMITS.window, 0);
  if (window === undefined || window === 0) return { windowOf: () => undefined, notes: [] };
  const rule = localLayers(file, layers);
  if (!rule) {
    const note = `${file.name(WINDOW)} (${window}): which layers see it is not known of ${file.architecture}, so all are counted with every token`;
    return { windowOf: () => undefined, notes: [note] };
  }
  const local = rule.isLocal.filter(Boolean).length;
  return {
    windowOf: (layer) => (rule.isLocal[layer] ? window : undefined),
    notes: [`${local} local layers ${rule.why}; window ${window} from "${file.name(WINDOW)}"`],
  };
}

/** Which layers see the window: by a flag for each, by a period of which the last layer sees all, or by the architecture. */
function localLayers(file: GgufFields, layers: number): { isLocal: boolean[]; why: string } | undefined {
  const given = file.value(PATTERN);
  if (Array.isArray(given)) {
    // A pattern may be shorter than the model, and is repeated then.
    const isLocal = Array.from({ length: layers }, (_, layer) => flagOf(file, given[layer % given.length]));
    return { isLocal, why: `from "${file.name(PATTERN)}"` };
  }
  const period = file.whole(PATTERN, SHAPE_LIMITS.layers);
  if (period !== undefined)
    return { isLocal: byPeriod(layers, period), why: `by "${file.name(PATTERN)}" ${period}` };
  const type = TYPES[file.architecture];
  const usual = type === undefined ? undefined : rulesOf(type).defaults?.['sliding_window_pattern'];
  if (typeof usual !== 'number') return undefined;
  return { isLocal: byPeriod(layers, usual), why: `as in every ${file.architecture}` };
}

function byPeriod(layers: number, period: number): boolean[] {
  return Array.from({ length: layers }, (_, layer) => (layer + 1) % period !== 0);
}

function flagOf(file: GgufFields, value: unknown): boolean {
  if (value === true || value === 1) return true;
  if (value === false || value === 0) return false;
  throw new ShapeError(
    `${file.where}: ${file.name(PATTERN)} expected true or false for each layer, got ${show(value)}`,
  );
}
