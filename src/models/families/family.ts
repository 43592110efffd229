// family.ts: what is said of a model family: what its config.json means, and the format of its checkpoints.
import type { ConfigFile, Fields } from '../configFields.ts';
import type { LayerRule } from '../layerRules.ts';
import type { DecoderFormat } from './decoderFormat.ts';
import type { HeadCounts } from './headSlots.ts';
import type { ModuleSpec } from './moduleSpec.ts';

/** Models of one architecture: all that `gqa kv` and `gqa convert` know of them and not of others. */
export interface Family {
  readonly name: string;
  /** The family's values of `model_type`, as `tableName` gives them, and what is true of files of each. */
  readonly types: Readonly<Record<string, TypeRules>>;
  /** Formats of its checkpoints; none where conversion knows none. Several are told apart by tensor names and config. */
  readonly formats: readonly CheckpointFormat[];
  /** Its models as whole ones, with an encoder or without; none where only their attention is known. */
  readonly decoders?: readonly DecoderFormat[];
}

/** What is true of the config.json files of one model type. All else is read from the fields that types share. */
export interface TypeRules {
  /** Whether the fields are those of a file of the type that its `model_type` does not tell from others. */
  readonly isOf?: (fields: Fields) => boolean;
  /** The fields that a file may leave out, and their values in the class that reads it. */
  readonly defaults?: Fields;
  /** Sizes that a nested config may leave out besides: transformers writes of one only what differs from its class's defaults. */
  readonly nestedDefaults?: Fields;
  /** True when each query head has a KV head where the number is left out, or always. */
  readonly isMha?: boolean;
  /** Why there is no cache of K and V heads. Encoders may have one where a file says that they decode. */
  readonly withoutCache?: 'latent' | 'no-attention' | 'encoder';
  /** A field for the number of KV heads that in other files may mean something else. */
  readonly kvHeadsField?: string;
  /** True when attention works on the hidden states beside the embeddings: twice the hidden size. */
  readonly isTwiceAsWide?: boolean;
  /** False when `kv_channels` is not the head dim. */
  readonly hasKvChannels?: boolean;
  /** The field without which nothing says which layers have attention: the class has none, or an arbitrary few. */
  readonly attendingField?: string;
  /** Which layers have attention. */
  readonly attending?: (file: ConfigFile, layers: number) => LayerRule | undefined;
  /** Whether a layer has attention by `attn_layer_period` and `attn_layer_offset`. */
  readonly isAtPeriod?: (layer: number, period: number, offset: number) => boolean;
  /** A name of the window beside `sliding_window`. */
  readonly windowField?: string;
  /** Which layers see a window, and why. */
  readonly windows?: (file: ConfigFile, layers: number, has: WindowSizes) => WindowRule | undefined;
  /** True when a window, where there is one, is that of every layer. */
  readonly isAllLocal?: boolean;
  /** Which of the layers that `global_attn_every_n_layers` counts is the global one: the first if undefined. */
  readonly globalLayer?: 'first' | 'last';
  /** The first of the layers that use the cache of one before. */
  readonly firstShared?: (layers: number) => number;
  /** The field for the tokens of the encoder, where it always gives as many. */
  readonly encoderTokensField?: string;
  /** Fields of layers that say what attention reads or how it is computed, not what is kept. */
  readonly computed?: RegExp;
  /** True when queries, keys and values lie in a fused projection in none of the orders of `SlotOrder`. */
  readonly hasOtherFusedOrder?: boolean;
}

/** Whether a file gives the length of a sliding window, and of a chunk. */
export interface WindowSizes {
  readonly hasWindow: boolean;
  readonly hasChunk: boolean;
}

/** A rule for windows, and why it holds, for people to read. */
export type WindowRule = LayerRule & { readonly why: string };

/** The name under which a type stands in `types`: a nested `text_config` calls "gemma3" "gemma3_text". */
export function tableName(modelType: string): string {
  return modelType.replace(/_text(_model)?$/, '');
}

/** How positions reach q and k. Rotary pairs are (i, i + rotaryDims / 2) if `half`, (2i, 2i + 1) if `interleaved`. */
export interface Positions {
  readonly pairing: 'half' | 'interleaved' | 'none';
  /** Leading elements of a head that are rotated; the rest carry no position. */
  readonly rotaryDims: number;
}

/** A format of checkpoints: tensor names, where the heads lie in them, how scores are made, what loaders read. */
export interface CheckpointFormat {
  /** Families share formats: those of one name have the same tensors. */
  readonly name: string;
  /** Types, as `tableName` gives them, that are known to compute attention so; none where files write no `model_type`. */
  readonly modelTypes: readonly string[];
  /** What the config must say besides; of a format without model types, what only its configs say. */
  readonly when: (config: Fields) => boolean;
  readonly modules: readonly ModuleSpec[];
  /** The field to add where no field has the number of KV heads. */
  readonly kvHeadsField: string;
  /** True when `multi_query` says whether there is one KV head or one for each query head. */
  readonly hasMultiQueryFlag: boolean;
  /** True when the family's own code reads `head_dim`. */
  readonly readsHeadDim: boolean;
  /** True when the usual loaders can load a model of these heads. */
  readonly loads: (heads: HeadCounts, config: Fields) => boolean;
  /** Undefined where it is not known, or not the same in all models of the format. */
  readonly pairing: Positions['pairing'] | undefined;
  /** Part of a head that is rotated, where it is not all of it. */
  readonly rotaryShare: (config: Fields) => number;
  /** The rotary base where the config gives none. */
  readonly usualTheta: number;
  /** Scores are so many times q . k. */
  readonly scale: (config: Fields, headDim: number) => number;
  /** True when q and k are normalised per head without weights. */
  readonly plainQkNorm: boolean;
  /** True when the weights of a norm count from 1: 1 + w. */
  readonly normsCountFromOne: boolean;
}

/** True when the config is known to be of this format. Tensor names are not asked: formats share them. */
export function isOf({ modelTypes, when }: CheckpointFormat, config: Fields): boolean {
  const type = config['model_type'];
  const typed = typeof type === 'string' ? modelTypes.includes(tableName(type)) : modelTypes.length === 0;
  return typed && when(config);
}

/** True when one tensor holds queries, keys and values, in an order that its name does not tell. */
export function isFused({ modules }: Pick<CheckpointFormat, 'modules'>): boolean {
  return modules.some(({ parts }) => parts.some(({ order }) => order === 'qkv' || order === 'grouped'));
}

/** Stands for the layer's number in a name. */
export const MODULE = '{layer}';
