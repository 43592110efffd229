// configAttending.ts: which layers of a config.json have attention, in models where some have something else.
import { ShapeError } from '../device/errors.ts';
import { field, isGiven, listOf, optional, show, wholeOf, type ConfigFile } from './configFields.ts';
import type { LayerKind } from './kvLayers.ts';
import { rulesOf } from './families/index.ts';
import { attendingAt, kindOf, wordsRule, type LayerRule } from './layerRules.ts';
import { SHAPE_LIMITS } from './limits.ts';

type Reader = (file: ConfigFile, layers: number) => LayerRule | undefined;

const READERS: readonly Reader[] = [
  (file, layers) => wordsRule(file, 'layer_types', layers),
  (file, layers) => wordsRule(file, 'layers_block_type', layers),
  (file, layers) => blockTypes(file, 'block_types', layers),
  (file, layers) => blockTypes(file, '_block_types', layers),
  hybridPattern,
  (file, layers) => indices(file, 'attn_layer_indices', layers),
  (file, layers) => indices(file, 'full_attn_idxs', layers),
  (file, layers) => indices(file, 'hybrid_layer_ids', layers),
  attentionTypeList,
  periods,
  (file, layers) => rulesOf(file.type).attending?.(file, layers),
  (file, layers) => everyNth(file, 'full_attention_interval', layers),
];

/** Whether each layer has attention, and the field that says so. Fields that contradict each other are a ShapeError. */
export function findAttending(file: ConfigFile, layers: number): { attends: boolean[]; name: string } {
  const rules = written(
    file,
    READERS.flatMap((read) => read(file, layers) ?? []),
  );
  const attending = rules.map(({ name, kinds }) => ({
    name,
    kinds: kinds.map((kind): LayerKind => (kind === 'none' ? 'none' : 'global')),
  }));
  checkAgreement(file, attending);
  const needed = rulesOf(file.type).attendingField;
  if (rules.length === 0 && needed !== undefined)
    throw new ShapeError(
      `${file.where}: expected ${needed}, which says which layers have attention, got none`,
    );
  const rule = attending[0];
  const attends = Array.from({ length: layers }, (_, layer) => rule?.kinds[layer] !== 'none');
  return { attends, name: rule?.name ?? '' };
}

/** The rules that stand in the file itself, if any do: the defaults of the type then mean nothing. */
export function written(file: ConfigFile, rules: readonly LayerRule[]): readonly LayerRule[] {
  const own = rules.filter(({ name }) => isGiven(file.own[name]));
  return own.length > 0 ? own : rules;
}

/** Two fields that say different things of a layer are a ShapeError with both. */
export function checkAgreement({ where }: ConfigFile, rules: readonly LayerRule[]): void {
  const [first, ...rest] = rules;
  if (!first) return;
  const words = (kind: LayerKind) => (kind === 'none' ? 'without attention' : kind);
  for (const { name, kinds } of rest) {
    const layer = kinds.findIndex((kind, i) => kind !== first.kinds[i]);
    if (layer === -1) continue;
    const [a, b] = [words(first.kinds[layer]!), words(kinds[layer]!)];
    throw new ShapeError(
      `${where}: ${first.name} and ${name} contradict each other: layer ${layer} is ${a} by the one, ${b} by the other`,
    );
  }
}

/** RecurrentGemma repeats a few words over all layers; its attention sees a window. */
function blockTypes(file: ConfigFile, name: string, layers: number): LayerRule | undefined {
  const words = listOf(file, name);
  if (!words || words.length === 0) return undefined;
  const kinds = words.map((word) => kindOf(file, name, word));
  return { name, kinds: Array.from({ length: layers }, (_, layer) => kinds[layer % kinds.length]!) };
}

const PATTERN: Readonly<Record<string, LayerKind>> = { '*': 'global', M: 'none', '-': 'none', E: 'none' };

/** Nemotron-H writes a character for each layer. */
function hybridPattern(file: ConfigFile, layers: number): LayerRule | undefined {
  const name = 'hybrid_override_pattern';
  const text = field(file, name);
  if (text === undefined) return undefined;
  const kinds = typeof text === 'string' ? text.split('').map((letter) => PATTERN[letter]) : [];
  if (kinds.length !== layers || !kinds.every((kind) => kind !== undefined)) {
    throw new ShapeError(
      `${file.where}: ${name} expected ${layers} characters of *, M, - and E (one for each layer), got ${show(text)}`,
    );
  }
  return { name, kinds };
}

function indices(file: ConfigFile, name: string, layers: number): LayerRule | undefined {
  const list = listOf(file, name)?.map((index) => wholeOf(file.where, name, index, 0, layers - 1));
  return list && attendingAt(name, layers, (layer) => list.includes(layer));
}

/** MiniMax: 1 for softmax attention, 0 for linear attention, which keeps a state of one size. */
function attentionTypeList(file: ConfigFile, layers: number): LayerRule | undefined {
  const name = 'attn_type_list';
  const list = listOf(file, name, layers)?.map((type) => wholeOf(file.where, name, type, 0, 1));
  return list && attendingAt(name, layers, (layer) => list[layer] === 1);
}

/** Jamba; Zamba counts otherwise. */
function periods(file: ConfigFile, layers: number): LayerRule | undefined {
  const name = 'attn_layer_period';
  const period = optional(file, [name], SHAPE_LIMITS.layers)?.value;
  const offset = optional(file, ['attn_layer_offset'], SHAPE_LIMITS.layers, 0)?.value ?? 0;
  if (period === undefined) return undefined;
  if (offset >= period)
    throw new ShapeError(`${file.where}: attn_layer_offset (${offset}) must be below ${name} (${period})`);
  const { isAtPeriod = (layer) => layer % period === offset } = rulesOf(file.type);
  return attendingAt(name, layers, (layer) => isAtPeriod(layer, period, offset));
}

function everyNth(file: ConfigFile, name: string, layers: number): LayerRule | undefined {
  const n = optional(file, [name], SHAPE_LIMITS.layers)?.value;
  return n === undefined ? undefined : attendingAt(name, layers, (layer) => (layer + 1) % n === 0);
}
