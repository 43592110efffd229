// layerRules.ts: what a field of a config.json, or a model type, says of each layer.
import { ShapeError } from '../device/errors.ts';
import { listOf, show, type ConfigFile } from './configFields.ts';
import type { LayerKind } from './kvLayers.ts';

/** What a field says of the layers, a kind for each. */
export interface LayerRule {
  /** The field. */
  readonly name: string;
  readonly kinds: readonly LayerKind[];
}

const KINDS: Readonly<Record<string, LayerKind>> = {
  attention: 'global',
  full: 'global',
  full_attention: 'global',
  global: 'global',
  global_attention: 'global',
  // A layer of attention and of a state space side by side, or one after the other.
  hybrid: 'global',
  local: 'local',
  local_attention: 'local',
  sliding: 'local',
  sliding_attention: 'local',
  chunked_attention: 'chunked',
  conv: 'none',
  linear: 'none',
  linear_attention: 'none',
  mamba: 'none',
  mamba2: 'none',
  mlp: 'none',
  moe: 'none',
  recurrent: 'none',
};

/** The kind that a word of a list stands for. An unknown one is a ShapeError. */
export function kindOf(file: ConfigFile, name: string, word: unknown): LayerKind {
  if (typeof word === 'string' && Object.hasOwn(KINDS, word)) return KINDS[word]!;
  throw new ShapeError(`${file.where}: ${name} expected ${Object.keys(KINDS).join(', ')}, got ${show(word)}`);
}

/** What the list of words under `name` says of each layer. */
export function wordsRule(file: ConfigFile, name: string, layers: number): LayerRule | undefined {
  const words = listOf(file, name, layers);
  return words && { name, kinds: words.map((word) => kindOf(file, name, word)) };
}

/** A rule of two kinds: layers that have attention, and those without. */
export function attendingAt(name: string, layers: number, attends: (layer: number) => boolean): LayerRule {
  const kinds = Array.from({ length: layers }, (_, layer) => (attends(layer) ? 'global' : 'none'));
  return { name, kinds };
}

/** A rule of two kinds: layers that see a window, and those that see every token. */
export function localAt(name: string, layers: number, isLocal: (layer: number) => boolean): LayerRule {
  const kinds = Array.from({ length: layers }, (_, layer) => (isLocal(layer) ? 'local' : 'global'));
  return { name, kinds };
}
