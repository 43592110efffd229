// configWindows.ts: which layers of a config.json see only a window or a chunk of the tokens, and how long it is.
import { ShapeError } from '../device/errors.ts';
import { checkAgreement, written } from './configAttending.ts';
import { field, flag, isGiven, listOf, optional, show, type ConfigFile, type Found } from './configFields.ts';
import type { LayerKind } from './kvLayers.ts';
import type { WindowRule } from './families/family.ts';
import { rulesOf } from './families/index.ts';
import { kindOf, localAt, wordsRule, type LayerRule } from './layerRules.ts';
import { SHAPE_LIMITS } from './limits.ts';

/** The kind of each layer as far as windows go, how many tokens one sees, and why, for people to read. */
export interface Windows {
  readonly kinds: readonly LayerKind[];
  readonly window: number | undefined;
  readonly notes: readonly string[];
}

const CHUNK = ['attention_chunk_size'];

/** Layers that see a window, of those that have attention (`attends`). One whose layers are not known counts for nothing: too large is the safe answer. */
export function findWindows(file: ConfigFile, attends: readonly boolean[]): Windows {
  const layers = attends.length;
  const chunked = sizeOf(file, CHUNK);
  const sliding = sizeOf(file, windowNames(file));
  const window = chunked ?? sliding;
  const rule = findRule(file, layers, sliding !== undefined, chunked !== undefined);
  const all = { kinds: Array.from({ length: layers }, () => 'global' as const), window: undefined };
  if (flag(file, 'use_sliding_window') === false)
    return { ...all, notes: isOwn(file, sliding) ? [SWITCHED_OFF] : [] };
  if (rule?.kinds.includes('chunked') && rule.kinds.includes('local')) {
    throw new ShapeError(`${file.where}: ${rule.name} expected local or chunked layers, got both`);
  }
  const local =
    rule?.kinds.filter((kind, layer) => attends[layer] && (kind === 'local' || kind === 'chunked')).length ??
    0;
  if (!rule || local === 0)
    return { ...all, notes: [...offNotes(file), ...(rule ? [] : unknownLayers(file, sliding, chunked))] };
  if (!window) {
    const given = offNames(file)[0];
    const state = given === undefined ? 'sliding_window is missing' : `${given} is ${show(file.own[given])}`;
    throw new ShapeError(`${file.where}: ${state}, but ${local} of ${layers} layers are local ${rule.why}`);
  }
  const kind = rule.kinds.includes('chunked') ? 'chunked' : 'local';
  const size = kind === 'chunked' ? (chunked ?? window) : (sliding ?? window);
  const note = `${local} ${kind} layers ${rule.why}; ${kind === 'chunked' ? 'chunk' : 'window'} ${size.note}`;
  return { kinds: rule.kinds, window: size.value, notes: [note] };
}

function windowNames({ type }: ConfigFile): string[] {
  const { windowField } = rulesOf(type);
  return ['sliding_window', ...(windowField === undefined ? [] : [windowField])];
}

/** The number of tokens under `names`, where it is one: 0 and -1 are written for no window, as null is. */
function sizeOf(file: ConfigFile, names: readonly string[]): Found | undefined {
  const off = offNames(file);
  for (const name of off) file.understood.add(name);
  return optional(
    file,
    names.filter((name) => !off.includes(name)),
    SHAPE_LIMITS.window,
  );
}

function offNames(file: ConfigFile): string[] {
  return [...windowNames(file), ...CHUNK].filter((name) => file.own[name] === 0 || file.own[name] === -1);
}

function offNotes(file: ConfigFile): string[] {
  return offNames(file).map((name) => `no window, because "${name}" is ${show(file.own[name])}`);
}

const SWITCHED_OFF = 'no sliding window, because "use_sliding_window" is false';

function isOwn(file: ConfigFile, found: Found | undefined): boolean {
  return found !== undefined && isGiven(file.own[found.name]);
}

function unknownLayers(file: ConfigFile, ...windows: (Found | undefined)[]): string[] {
  return windows.flatMap((found) =>
    found && isOwn(file, found)
      ? [`every layer counts as global: nothing says which layers "${found.name}" (${found.value}) is for`]
      : [],
  );
}

function findRule(
  file: ConfigFile,
  layers: number,
  hasWindow: boolean,
  hasChunk: boolean,
): WindowRule | undefined {
  const types = withReason(wordsRule(file, 'layer_types', layers), 'from "layer_types"');
  const listed = withReason(gptNeo(file, layers), 'from "attention_layers"');
  const patterns = [...patternRules(file, layers), ...maxWindowLayers(file, layers, hasWindow)];
  // A pattern without a window means nothing where the file says that there is none.
  const off = offNames(file);
  const switchedOff =
    !hasWindow && windowNames(file).some((name) => file.own[name] === null || off.includes(name));
  const useful = patterns.filter(({ name }) => !switchedOff && (hasWindow || isGiven(file.own[name])));
  const { windows, isAllLocal } = rulesOf(file.type);
  const ofType = windows?.(file, layers, { hasWindow, hasChunk });
  const rules = written(
    file,
    [types, listed, ofType, ...useful].filter((rule) => rule !== undefined),
  ) as readonly WindowRule[];
  checkAgreement(file, rules.map(attendedOnly(rules)));
  return rules[0] ?? (hasWindow && isAllLocal ? allLocal(file, layers) : undefined);
}

/** Layers without attention are no matter of windows, and rules of windows do not know them. */
function attendedOnly(rules: readonly WindowRule[]): (rule: WindowRule) => LayerRule {
  const without = rules.map(({ kinds }) => kinds.map((kind) => kind === 'none'));
  return ({ name, kinds }) => ({
    name,
    kinds: kinds.map((kind, layer) => (without.some((none) => none[layer]) ? 'none' : kind)),
  });
}

function withReason(rule: LayerRule | undefined, why: string): WindowRule | undefined {
  return rule && { ...rule, why };
}

function allLocal(file: ConfigFile, layers: number): WindowRule {
  const kinds = Array.from({ length: layers }, () => 'local' as const);
  return { name: 'model_type', kinds, why: `because those of ${file.modelType} all are` };
}

/** GPT-Neo lists a word for each layer, or words with how often to repeat them: [[["global", "local"], 12]]. */
function gptNeo(file: ConfigFile, layers: number): LayerRule | undefined {
  const rule = wordsRule(file, 'attention_layers', layers);
  const name = 'attention_types';
  const repeated = listOf(file, name);
  if (rule || !repeated) return rule;
  const words = repeated.flatMap((entry) => {
    const [part, times] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (!Array.isArray(part) || typeof times !== 'number') return [];
    return Array.from({ length: Math.min(times, layers) }, () => part as unknown[]).flat();
  });
  if (words.length !== layers)
    throw new ShapeError(`${file.where}: ${name} expected words for ${layers} layers, got ${words.length}`);
  return { name, kinds: words.map((word) => kindOf(file, name, word)) };
}

function patternRules(file: ConfigFile, layers: number): WindowRule[] {
  // The name with an underscore is a copy that classes write beside `layer_types` and do not read.
  const copy = '_sliding_window_pattern';
  file.understood.add(copy);
  const names = [
    'sliding_window_pattern',
    'layer_switch',
    ...(isGiven(file.own['layer_types']) ? [copy] : []),
  ];
  const globalFirst = field(file, 'order_of_interleaved_layers') === 'global_attn_first';
  const last = names.flatMap((name) => patternRule(file, name, layers, globalFirst ? 'first' : 'last') ?? []);
  const { globalLayer = 'first' } = rulesOf(file.type);
  return [...last, ...(patternRule(file, 'global_attn_every_n_layers', layers, globalLayer) ?? [])];
}

/** One layer in n is global, the first or the last of each n; or letters say which are, L local and G global. */
function patternRule(
  file: ConfigFile,
  name: string,
  layers: number,
  place: 'first' | 'last',
): [WindowRule] | undefined {
  const value = field(file, name);
  if (typeof value === 'string') {
    if (!/^[LG]+$/.test(value))
      throw new ShapeError(`${file.where}: ${name} expected letters L and G, got ${show(value)}`);
    const rule = localAt(name, layers, (layer) => value[layer % value.length] === 'L');
    return [{ ...rule, why: `from "${name}" (${value})` }];
  }
  const n = optional(file, [name], SHAPE_LIMITS.layers)?.value;
  if (n === undefined) return undefined;
  const rule = localAt(name, layers, (layer) => (place === 'first' ? layer : layer + 1) % n !== 0);
  return [{ ...rule, why: `because one layer in ${n} is global` }];
}

/** Qwen's first layers see all tokens. */
function maxWindowLayers(file: ConfigFile, layers: number, hasWindow: boolean): WindowRule[] {
  const name = 'max_window_layers';
  const first = optional(file, [name], SHAPE_LIMITS.layers, 0)?.value;
  if (first === undefined || !hasWindow || field(file, 'use_sliding_window') === false) return [];
  return [{ ...localAt(name, layers, (layer) => layer >= first), why: `from layer ${first} on ("${name}")` }];
}
