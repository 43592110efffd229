// configHeads.ts: the heads of a config.json: how many query heads and KV heads a layer has, and how large they are.
import { ShapeError } from '../device/errors.ts';
import { blockConfigs } from './configBlocks.ts';
import {
  asFields,
  field,
  flag,
  listOf,
  optional,
  wholeOf,
  type ConfigFile,
  type Found,
} from './configFields.ts';
import { ATTN_CONFIG_KV_HEADS, FALCON_KV_HEADS, KV_GROUPS, KV_HEADS, readsMultiQuery } from './headFields.ts';
import { SHAPE_LIMITS } from './limits.ts';
import { isKnown, rulesOf } from './families/index.ts';

/** The KV heads of each layer, and the rule that gave them. */
export interface KvHeads {
  readonly perLayer: readonly number[];
  readonly note: string;
}

/** KV heads of each of `layers` layers. Query heads that are no multiple of them are a ShapeError with both numbers. */
export function findKvHeads(file: ConfigFile, layers: number, qHeads: Found): KvHeads {
  const found = headsOfBlocks(file, layers, qHeads) ?? headsPerLayer(file, layers);
  if (found) {
    // Some files keep the number of the class that theirs derives from.
    for (const name of KV_HEADS) file.understood.add(name);
    for (const count of found.perLayer) checkMultiple(file.where, qHeads, found.name, count);
    return found;
  }
  const { name, value, note } = uniformKvHeads(file, qHeads);
  checkMultiple(file.where, qHeads, name, value);
  const groups = optional(file, ['num_key_value_groups'], SHAPE_LIMITS.heads);
  if (groups && groups.value * value !== qHeads.value) {
    throw new ShapeError(
      `${file.where}: ${groups.name} expected ${qHeads.value / value} (${qHeads.name} / ${name}), got ${groups.value}`,
    );
  }
  return { perLayer: Array.from({ length: layers }, () => value), note };
}

function checkMultiple(where: string, qHeads: Found, name: string, kvHeads: number): void {
  if (kvHeads === 0 || qHeads.value % kvHeads === 0) return;
  throw new ShapeError(
    `${where}: ${qHeads.name} (${qHeads.value}) must be a multiple of ${name} (${kvHeads})`,
  );
}

type NamedKvHeads = KvHeads & { readonly name: string };

/** Nemotron-NAS gives each block the query heads that share a KV head. */
function headsOfBlocks(file: ConfigFile, layers: number, qHeads: Found): NamedKvHeads | undefined {
  const blocks = blockConfigs(file, layers);
  if (!blocks) return undefined;
  const name = 'block_configs: attention: n_heads_in_group';
  const perLayer = blocks.map(({ groupSize }) => {
    if (groupSize === undefined) return 0;
    if (qHeads.value % groupSize === 0) return qHeads.value / groupSize;
    throw new ShapeError(
      `${file.where}: ${qHeads.name} (${qHeads.value}) must be a multiple of ${name} (${groupSize})`,
    );
  });
  const windows = blocks.filter(({ hasWindow }) => hasWindow).length;
  const asGlobal = windows === 0 ? '' : `; the ${windows} with a "window_length" count as global`;
  return {
    name,
    perLayer,
    note: `KV heads of each layer from "block_configs": ${rangeOf(perLayer)}${asGlobal}`,
  };
}

/** DeciLM lists the KV heads of each layer. */
function headsPerLayer(file: ConfigFile, layers: number): NamedKvHeads | undefined {
  const name = 'num_key_value_heads_per_layer';
  const list = listOf(file, name, layers);
  if (!list) return undefined;
  const perLayer = list.map((count) => wholeOf(file.where, name, count, 1, SHAPE_LIMITS.heads));
  return { name, perLayer, note: `KV heads of each layer from "${name}": ${rangeOf(perLayer)}` };
}

function rangeOf(counts: readonly number[]): string {
  const used = [...new Set(counts.filter((count) => count > 0))].toSorted((a, b) => a - b);
  return used.join(', ');
}

function uniformKvHeads(file: ConfigFile, qHeads: Found): Found {
  const groups = KV_GROUPS.filter((group) => flag(file, group.flag) !== false).map((group) => group.field);
  for (const group of KV_GROUPS) file.understood.add(group.field);
  const { kvHeadsField } = rulesOf(file.type);
  const names = [...KV_HEADS, ...groups, ...(kvHeadsField === undefined ? [] : [kvHeadsField])];
  const counted = optional(file, names, SHAPE_LIMITS.heads) ?? inAttentionConfig(file);
  flag(file, 'new_decoder_architecture');
  const isOne = flag(file, 'multi_query') === true && readsMultiQuery(file.fields);
  if (counted && counted.value !== 1 && isOne && file.own['multi_query'] === true) {
    throw new ShapeError(
      `${file.where}: ${counted.name} expected 1, because "multi_query" is true, got ${counted.value}`,
    );
  }
  if (counted) return { ...counted, note: `KV heads ${counted.note}` };
  const falcon = optional(file, FALCON_KV_HEADS, SHAPE_LIMITS.heads);
  if (isOne) return { name: 'multi_query', value: 1, note: 'KV heads 1 because "multi_query" is true' };
  if (falcon) return { ...falcon, note: `KV heads ${falcon.note}` };
  return oneForEachQueryHead(file, qHeads);
}

/** DBRX and MPT keep the number in a nested `attn_config`. */
function inAttentionConfig(file: ConfigFile): Found | undefined {
  const nested = field(file, 'attn_config');
  if (nested === undefined) return undefined;
  const name = `attn_config: ${ATTN_CONFIG_KV_HEADS}`;
  const fields = asFields(nested, `${file.where}: attn_config`);
  const { attn_type: type, [ATTN_CONFIG_KV_HEADS]: count } = fields;
  if (type === 'multihead_attention' || (type === undefined && count === undefined)) return undefined;
  if (type === 'multiquery_attention')
    return { name: 'attn_config: attn_type', value: 1, note: '1 from "attn_config": "attn_type"' };
  const value = wholeOf(file.where, name, count, 1, SHAPE_LIMITS.heads);
  return { name, value, note: `${value} from "attn_config": "${ATTN_CONFIG_KV_HEADS}"` };
}

function oneForEachQueryHead(file: ConfigFile, qHeads: Found): Found {
  const name = 'num_key_value_heads';
  const isNull = file.own[name] === null && isKnown(file.type);
  if (isNull || rulesOf(file.type).isMha === true) {
    const state = isNull ? 'null' : 'absent';
    return {
      ...qHeads,
      note: `KV heads ${qHeads.value}, one for each query head ("${name}" ${state})`,
    };
  }
  const type =
    file.modelType === '' ? 'there is no model_type' : `it is not known for model_type "${file.modelType}"`;
  throw new ShapeError(
    `${file.where}: expected ${name}, got none, and its default is not known: ${type}; add the field, or give the shape by hand (${BY_HAND})`,
  );
}

/** The options of `gqa kv` that stand for a config.json. */
export const BY_HAND = '--layers --heads --kv-heads --head-dim';

const HEAD_DIM = ['head_dim', 'd_kv', 'attention_head_dim'];

/** Elements of a head: written down, or the hidden size divided among the query heads. */
export function findHeadDim(file: ConfigFile, hidden: Found, qHeads: Found): Found {
  const { isTwiceAsWide: isTwice = false, hasKvChannels = true } = rulesOf(file.type);
  const width = isTwice ? 2 * hidden.value : hidden.value;
  const quotient = width / qHeads.value;
  const name = isTwice ? `2 * ${hidden.name}` : hidden.name;
  const division = `${name} / ${qHeads.name} = ${width} / ${qHeads.value}`;
  file.understood.add('kv_channels');
  const names = hasKvChannels ? [...HEAD_DIM, 'kv_channels'] : HEAD_DIM;
  const found = optional(file, names, SHAPE_LIMITS.headDim);
  if (found) {
    const differs = found.value === quotient ? '' : `; not ${division} = ${Number(quotient.toFixed(2))}`;
    return { ...found, note: `head_dim ${found.note}${differs}` };
  }
  if (!Number.isInteger(quotient)) {
    throw new ShapeError(
      `${file.where}: head_dim is absent and ${name} (${width}) is no multiple of ${qHeads.name} (${qHeads.value})`,
    );
  }
  return {
    name: 'head_dim',
    value: quotient,
    note: `head_dim ${quotient} = ${division} ("head_dim" absent)`,
  };
}
