// config.ts: the attention shape of a model from its Hugging Face config.json, and how each number was found.
import { ShapeError } from '../device/errors.ts';
import {
  asFields,
  flag,
  optional,
  required,
  show,
  type ConfigFile,
  type Fields,
  type Found,
} from './configFields.ts';
import type { ModelShape } from './presets.ts';

/** A shape with, for people to read, the rule that gave its head dim, its KV heads and its window. */
export type ConfigShape = ModelShape & { readonly notes: readonly string[] };

/** Largest sizes taken for real. They are many times those of any model; past them a file is broken. */
export const SHAPE_LIMITS = {
  layers: 10_000,
  heads: 10_000,
  headDim: 65_536,
  hiddenSize: 2 ** 24,
  window: 2 ** 31,
};

// What a file of this type may leave out, because the classes of huggingface/transformers fill it in
// (src/transformers/models/*/configuration_*.py): Gemma-3 files do leave out their head counts and head dim.
const TYPE_DEFAULTS: Readonly<Record<string, Fields>> = {
  gemma: { head_dim: 256 },
  gemma2: { head_dim: 256, sliding_window: 4096, sliding_window_pattern: 2 },
  gemma3_text: {
    num_attention_heads: 8,
    num_key_value_heads: 4,
    head_dim: 256,
    sliding_window: 4096,
    sliding_window_pattern: 6,
  },
  gpt_oss: { head_dim: 64, sliding_window: 128, sliding_window_pattern: 2 },
  qwen2: { use_sliding_window: false },
  qwen2_moe: { use_sliding_window: false },
  qwen3: { head_dim: 128, use_sliding_window: false },
  qwen3_moe: { use_sliding_window: false },
};

// Fields of models whose cache is not the same K and V heads in every layer: a figure for them would be wrong.
const OTHER_CACHES: Readonly<Record<string, string>> = {
  kv_lora_rank: 'multi-head latent attention stores one compressed vector per token instead of K and V heads',
  v_head_dim: 'K and V heads have sizes of their own',
  global_head_dim: 'layers have different head dims',
  num_kv_shared_layers: 'some layers share the cache of another',
  attn_layer_period: 'only some layers are attention',
  full_attention_interval: 'only some layers are attention',
  hybrid_override_pattern: 'only some layers are attention',
  layers_block_type: 'only some layers are attention',
};

const HEADS = ['num_attention_heads', 'n_head', 'num_heads'];
const HIDDEN = ['hidden_size', 'n_embd', 'd_model'];
const HEAD_DIM = ['head_dim', 'd_kv', 'kv_channels'];

/**
 * The shape that a parsed config.json describes. `where` is its path, for messages and as the name. Knows the fields
 * of the Llama, Qwen, Mistral, Gemma, GPT-2, Falcon, ChatGLM and T5 families, and a nested `text_config`. A missing,
 * malformed or contradictory field, and a cache that is not plain K and V heads, is a ShapeError that names the field.
 */
export function shapeFromConfig(config: unknown, where: string): ConfigShape {
  const file = open(config, where);
  refuseOtherCaches(file);
  const layers = required(file, layerNames(file), SHAPE_LIMITS.layers).value;
  const hidden = required(file, HIDDEN, SHAPE_LIMITS.hiddenSize);
  const qHeads = required(file, HEADS, SHAPE_LIMITS.heads);
  const kvHeads = findKvHeads(file, qHeads);
  if (qHeads.value % kvHeads.value !== 0) {
    throw new ShapeError(
      `${where}: ${qHeads.name} (${qHeads.value}) must be a multiple of ${kvHeads.name} (${kvHeads.value})`,
    );
  }
  const headDim = findHeadDim(file, hidden, qHeads);
  const local = findLocalLayers(file, layers);
  const crossAttention = file.own['is_encoder_decoder'] === true;
  return {
    name: where,
    layers,
    hiddenSize: hidden.value,
    numQHeads: qHeads.value,
    numKvHeads: kvHeads.value,
    headDim: headDim.value,
    ...(local.layers > 0 && { localLayers: local.layers, window: local.window }),
    source: file.modelType === '' ? 'config.json' : `config.json, model type ${file.modelType}`,
    notes: [
      headDim.note,
      kvHeads.note,
      ...(local.note === '' ? [] : [local.note]),
      ...(crossAttention
        ? ['self-attention of the decoder only; cross-attention keeps a cache of its own']
        : []),
    ],
  };
}

function open(config: unknown, where: string): ConfigFile {
  const top = asFields(config, where);
  const nested = top['text_config'];
  const isNested = nested !== undefined && nested !== null && HEADS.every((name) => top[name] === undefined);
  const own = isNested ? asFields(nested, `${where}: text_config`) : top;
  const modelType = typeof own['model_type'] === 'string' ? own['model_type'] : '';
  const defaults = Object.hasOwn(TYPE_DEFAULTS, modelType) ? TYPE_DEFAULTS[modelType] : {};
  return {
    where: isNested ? `${where}: text_config` : where,
    modelType,
    own,
    fields: { ...defaults, ...own },
  };
}

function refuseOtherCaches({ where, own }: ConfigFile): void {
  for (const [name, reason] of Object.entries(OTHER_CACHES)) {
    const value = own[name];
    if (value !== undefined && value !== null && value !== 0) {
      throw new ShapeError(`${where}: expected no ${name}, got ${show(value)}: ${reason}`);
    }
  }
}

// T5 counts the encoder in num_layers and the decoder, whose cache this is, in a field of its own.
function layerNames({ own }: ConfigFile): readonly string[] {
  const decoder = 'num_decoder_layers';
  return own[decoder] !== undefined && own[decoder] !== null
    ? [decoder]
    : ['num_hidden_layers', 'n_layer', 'num_layers'];
}

function findKvHeads(file: ConfigFile, qHeads: Found): Found {
  // ChatGLM writes a group count of 1 beside multi_query_attention: false, which switches it off.
  const groups = flag(file, 'multi_query_attention') === false ? [] : ['multi_query_group_num'];
  const counted = optional(file, ['num_key_value_heads', 'n_kv_head', ...groups], SHAPE_LIMITS.heads);
  if (counted) return { ...counted, note: `KV heads ${counted.note}` };
  // Falcon's first architecture ignores the number of KV heads when multi_query is set; its second ignores multi_query.
  if (flag(file, 'multi_query') === true && flag(file, 'new_decoder_architecture') !== true) {
    return { name: 'multi_query', value: 1, note: 'KV heads 1 because "multi_query" is true' };
  }
  const falcon = optional(file, ['num_kv_heads', 'n_head_kv'], SHAPE_LIMITS.heads);
  if (falcon) return { ...falcon, note: `KV heads ${falcon.note}` };
  return {
    ...qHeads,
    note: `KV heads ${qHeads.value}, one for each query head ("num_key_value_heads" absent)`,
  };
}

function findHeadDim(file: ConfigFile, hidden: Found, qHeads: Found): Found {
  const quotient = hidden.value / qHeads.value;
  const division = `${hidden.name} / ${qHeads.name} = ${hidden.value} / ${qHeads.value}`;
  const found = optional(file, HEAD_DIM, SHAPE_LIMITS.headDim);
  if (found) {
    const differs = found.value === quotient ? '' : `; not ${division} = ${Number(quotient.toFixed(2))}`;
    return { ...found, note: `head_dim ${found.note}${differs}` };
  }
  if (!Number.isInteger(quotient)) {
    throw new ShapeError(
      `${file.where}: head_dim is absent and ${hidden.name} (${hidden.value}) is no multiple of ${qHeads.name} (${qHeads.value})`,
    );
  }
  return {
    name: 'head_dim',
    value: quotient,
    note: `head_dim ${quotient} = ${division} ("head_dim" absent)`,
  };
}

/** The layers that see only a window, how long it is, and why; no layers and no window where every layer sees all. */
function findLocalLayers(file: ConfigFile, layers: number): { layers: number; window: number; note: string } {
  const none = { layers: 0, window: 0, note: '' };
  const window = optional(file, ['sliding_window'], SHAPE_LIMITS.window);
  if (flag(file, 'use_sliding_window') === false) {
    return { ...none, note: window ? 'no sliding window, because "use_sliding_window" is false' : '' };
  }
  const [local, rule] = countLocalLayers(file, layers, window !== undefined);
  if (local === 0) return none;
  if (!window) {
    throw new ShapeError(
      `${file.where}: sliding_window is missing, but ${local} of ${layers} layers are local ${rule}`,
    );
  }
  return {
    layers: local,
    window: window.value,
    note: `${local} local layers ${rule}; window ${window.note}`,
  };
}

function countLocalLayers(
  file: ConfigFile,
  layers: number,
  hasWindow: boolean,
): [count: number, rule: string] {
  const types = file.fields['layer_types'];
  if (types !== undefined && types !== null)
    return [countLayerTypes(file, types, layers), 'from "layer_types"'];
  const pattern = optional(file, ['sliding_window_pattern'], SHAPE_LIMITS.layers);
  if (pattern && (hasWindow || pattern.name in file.own)) {
    return [layers - Math.floor(layers / pattern.value), `because one layer in ${pattern.value} is global`];
  }
  if (!hasWindow) return [0, ''];
  const first = optional(file, ['max_window_layers'], SHAPE_LIMITS.layers, 0);
  if (first) return [Math.max(0, layers - first.value), `from layer ${first.value} on ("max_window_layers")`];
  return [layers, 'because "sliding_window" is set and nothing says which layers it is for'];
}

function countLayerTypes({ where }: ConfigFile, types: unknown, layers: number): number {
  if (!Array.isArray(types) || types.length !== layers) {
    throw new ShapeError(
      `${where}: layer_types expected a list of ${layers} (one for each layer), got ${show(types)}`,
    );
  }
  const other: unknown = types.find((type) => type !== 'full_attention' && type !== 'sliding_attention');
  if (other !== undefined) {
    throw new ShapeError(
      `${where}: layer_types expected "full_attention" or "sliding_attention", got ${show(other)}`,
    );
  }
  return types.filter((type) => type === 'sliding_attention').length;
}
