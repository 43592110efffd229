// config.ts: the attention shape of a model from its Hugging Face config.json, and how each number was found.
import { ShapeError } from '../device/errors.ts';
import { checkText } from '../device/options.ts';
import { findAttending } from './configAttending.ts';
import { flag, isGiven, optional, required, show, type ConfigFile, type Found } from './configFields.ts';
import { findHeadDim, findKvHeads } from './configHeads.ts';
import { HEADS, openConfig } from './configText.ts';
import { checkUnknown } from './configUnknown.ts';
import { findWindows } from './configWindows.ts';
import { emptyLayer, groupLayers, keepsKv, type KvLayer, type LayerKind } from './kvLayers.ts';
import { SHAPE_LIMITS } from './limits.ts';
import { rulesOf, whyNoCache } from './families/index.ts';
import type { ModelShape } from './presets.ts';

/** A shape with, for people to read, the rules that gave its head dim, its KV heads and its layers. */
export type ConfigShape = ModelShape & { readonly notes: readonly string[] };

// Fields of models whose cache is not K and V heads of one size: a figure for them would be wrong.
const OTHER_CACHES: Readonly<Record<string, string>> = {
  kv_lora_rank: 'multi-head latent attention stores one compressed vector per token instead of K and V heads',
  cross_attention_layers: 'some layers keep K and V of images and not of the text',
};

const HIDDEN = ['hidden_size', 'n_embd', 'd_model', 'n_embed'];

/**
 * The shape that a parsed config.json describes. `where` is its path, for messages and as the name. Knows what the
 * layers keep in models whose layers differ (see families/), and a nested `text_config`. A missing, malformed or
 * contradictory field, one that speaks of layers and is not understood, a cache that is not plain K and V heads, and a
 * model without a KV cache are each a ShapeError that names the field.
 */
export function shapeFromConfig(config: unknown, where: string): ConfigShape {
  checkText('shapeFromConfig: where', where);
  const file = openConfig(config, where);
  const reason = whyNoCache(file.type, file.own);
  if (reason !== undefined) throw new ShapeError(`${file.where}: ${reason}`);
  file.understood.add('use_bidirectional_attention');
  refuseOtherCaches(file);
  const depth = required(file, layerNames(file), SHAPE_LIMITS.layers);
  const layers = depth.value;
  const hidden = required(file, HIDDEN, SHAPE_LIMITS.hiddenSize);
  const qHeads = required(file, headNames(file), SHAPE_LIMITS.heads);
  const kvHeads = findKvHeads(file, layers, qHeads);
  const headDim = findHeadDim(file, hidden, qHeads);
  checkValueDim(file, headDim);
  const kept = keptByLayers(file, kvHeads.perLayer, headDim.value);
  const cross = crossAttention(file, kept.layers);
  const unknown = checkUnknown(file);
  return {
    name: where,
    layers,
    hiddenSize: hidden.value,
    numQHeads: qHeads.value,
    numKvHeads: Math.max(...kept.layers.map(({ numKvHeads }) => numKvHeads)),
    headDim: headDim.value,
    kvLayers: groupLayers([...kept.layers, ...cross]),
    source: file.modelType === '' ? 'config.json' : `config.json, model type ${file.modelType}`,
    notes: [
      ...defaultNotes(file, [depth, hidden, qHeads]),
      headDim.note,
      kvHeads.note,
      ...kept.notes,
      ...draftNotes(file),
      ...unknown,
    ],
  };
}

/** What each layer of a config.json keeps, one after the other; throws as `shapeFromConfig`. */
export function kvLayersFromConfig(config: unknown, where: string): readonly KvLayer[] {
  const file = openConfig(config, where);
  const layers = required(file, layerNames(file), SHAPE_LIMITS.layers).value;
  const hidden = required(file, HIDDEN, SHAPE_LIMITS.hiddenSize);
  const qHeads = required(file, headNames(file), SHAPE_LIMITS.heads);
  const kvHeads = findKvHeads(file, layers, qHeads);
  return keptByLayers(file, kvHeads.perLayer, findHeadDim(file, hidden, qHeads).value).layers;
}

/** The sizes that the file leaves to its class. */
function defaultNotes({ own }: ConfigFile, sizes: readonly Found[]): string[] {
  return sizes.filter(({ name }) => !isGiven(own[name])).map(({ name, note }) => `${name} ${note}`);
}

const DRAFT_LAYERS = [
  'num_nextn_predict_layers',
  'mtp_num_layers',
  'mtp_num_hidden_layers',
  'num_mtp_layers',
];

/** Layers that draft further tokens are not among the model's: only an engine that runs them keeps caches for them. */
function draftNotes({ own }: ConfigFile): string[] {
  const given = DRAFT_LAYERS.filter((name) => typeof own[name] === 'number' && own[name] > 0);
  return given.map(
    (name) => `${name} (${show(own[name])}): such layers, for drafting further tokens, are not counted`,
  );
}

function refuseOtherCaches({ where, fields }: ConfigFile): void {
  for (const [name, reason] of Object.entries(OTHER_CACHES)) {
    const value = fields[name];
    if (isGiven(value) && value !== 0) {
      throw new ShapeError(`${where}: expected no ${name}, got ${show(value)}: ${reason}`);
    }
  }
}

function checkValueDim(file: ConfigFile, headDim: Found): void {
  const value = optional(file, ['v_head_dim'], SHAPE_LIMITS.headDim);
  if (!value || value.value === headDim.value) return;
  throw new ShapeError(
    `${file.where}: v_head_dim expected ${headDim.value} like ${headDim.name}, got ${value.value}: K and V heads of different sizes are not supported`,
  );
}

/** T5, BART and Whisper count the encoder in one field and the decoder, whose cache this is, in another. */
function layerNames({ own }: ConfigFile): readonly string[] {
  const decoder = ['num_decoder_layers', 'decoder_layers'].find((name) => isGiven(own[name]));
  return decoder === undefined ? ['num_hidden_layers', 'n_layer', 'num_layers', 'n_layers'] : [decoder];
}

function headNames({ own }: ConfigFile): readonly string[] {
  const decoder = 'decoder_attention_heads';
  return isGiven(own[decoder]) ? [decoder] : HEADS;
}

/** What each layer keeps: its attention, its window, and whether it uses the cache of another. */
function keptByLayers(
  file: ConfigFile,
  kvHeads: readonly number[],
  headDim: number,
): { layers: KvLayer[]; notes: string[] } {
  const attending = findAttending(file, kvHeads.length);
  const windows = findWindows(file, attending.attends);
  const owners = findOwners(file, kvHeads.length);
  const ofGlobal = globalHeads(file);
  const layers = kvHeads.map((numKvHeads, layer): KvLayer => {
    const kind: LayerKind = windows.kinds[layer]!;
    if (numKvHeads === 0 || !attending.attends[layer] || kind === 'none') return emptyLayer('none');
    if (!owners.owns(layer)) return emptyLayer('shared');
    if (kind === 'global') return { kind, numKvHeads, headDim, ...ofGlobal };
    return { kind, numKvHeads, headDim, window: windows.window! };
  });
  const count = layers.filter(keepsKv).length;
  if (count === 0) throw new ShapeError(`${file.where}: no layer has a KV cache, by ${attending.name}`);
  const without = layers.filter(({ kind }) => kind === 'none').length;
  const by = attending.name === '' ? 'block_configs' : attending.name;
  return {
    layers,
    notes: [
      ...(without === 0 ? [] : [`${without} of ${layers.length} layers have no attention, by "${by}"`]),
      ...windows.notes,
      ...owners.notes,
    ],
  };
}

interface Owners {
  readonly owns: (layer: number) => boolean;
  readonly notes: readonly string[];
}

/**
 * Which layers have a cache of their own: the last ones of Gemma 3n and Phi-4-mini-flash, and every other one of Hunyuan,
 * use one of those before.
 */
function findOwners(file: ConfigFile, layers: number): Owners {
  const { firstShared } = rulesOf(file.type);
  if (firstShared) {
    const first = firstShared(layers);
    const note = `layers that share a cache: those from ${first} on, as in every ${file.modelType}`;
    return { owns: (layer) => layer < first, notes: [note] };
  }
  const last = optional(file, ['num_kv_shared_layers'], SHAPE_LIMITS.layers, 0);
  if (last && last.value > 0 && last.value < layers) {
    const first = layers - last.value;
    return { owns: (layer) => layer < first, notes: [`layers that share a cache: ${last.note}`] };
  }
  file.understood.add('cla_share_factor');
  if (flag(file, 'use_cla') !== true) return { owns: () => true, notes: [] };
  const { value, note } = required(file, ['cla_share_factor'], SHAPE_LIMITS.layers);
  return { owns: (layer) => layer % value === 0, notes: [`layers that share a cache: ${note}`] };
}

/** Gemma 4's global layers have heads of their own number and size. */
function globalHeads(file: ConfigFile): Partial<KvLayer> {
  const headDim = optional(file, ['global_head_dim'], SHAPE_LIMITS.headDim);
  const kvHeads = optional(file, ['num_global_key_value_heads'], SHAPE_LIMITS.heads);
  const isOfGlobal = flag(file, 'attention_k_eq_v') !== false;
  return {
    ...(headDim && { headDim: headDim.value }),
    ...(kvHeads && isOfGlobal && { numKvHeads: kvHeads.value }),
  };
}

/** The caches of cross-attention: one for each layer of a decoder that has an encoder. */
function crossAttention(file: ConfigFile, layers: readonly KvLayer[]): KvLayer[] {
  const isDecoder = flag(file, 'is_encoder_decoder') === true || flag(file, 'add_cross_attention') === true;
  if (!isDecoder) return [];
  const name = rulesOf(file.type).encoderTokensField;
  const tokens = name === undefined ? undefined : optional(file, [name], SHAPE_LIMITS.window);
  return layers.map(({ numKvHeads, headDim }) => ({
    kind: 'cross',
    numKvHeads,
    headDim,
    ...(tokens && { window: tokens.value }),
  }));
}
