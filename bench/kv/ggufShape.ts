// ggufShape.ts: the attention shape of a model from the metadata of its GGUF file, and how each number was found.
import { ShapeError } from '../../src/device/errors.ts';
import type { ConfigShape } from '../../src/models/config.ts';
import { emptyLayer, groupLayers, keepsKv, type KvLayer } from '../../src/models/kvLayers.ts';
import { SHAPE_LIMITS } from '../../src/models/limits.ts';
import { GgufFields } from './ggufFields.ts';
import { findGgufWindows } from './ggufWindows.ts';
import type { GgufMetadata } from './readGguf.ts';

const HEAD_COUNT = 'attention.head_count';
const KV_HEADS = 'attention.head_count_kv';
const DRAFT_LAYERS = 'nextn_predict_layers';
const SHARED = 'attention.shared_kv_layers';
const INTERVAL = 'full_attention_interval';
const RECURRENT = 'attention.recurrent_layers';

/** Every layer of these has attention, and a state space beside it. */
const HYBRID_LAYERS = ['falcon-h1'];

/** Architectures with an encoder, whose caches hold its tokens as well. */
const WITH_ENCODER = ['t5', 't5encoder'];

/**
 * The shape that a GGUF file's metadata describes; `where` is its name, for messages and as the model's. Knows KV heads and
 * head dims of each layer, windows, shared caches and layers without attention. What is missing, contradictory or no cache of
 * plain K and V heads is a ShapeError that names the key.
 */
export function shapeFromGguf(metadata: GgufMetadata, where: string): ConfigShape {
  const file = new GgufFields(metadata, where);
  refuseOtherCaches(file);
  const drafts = file.whole(DRAFT_LAYERS, SHAPE_LIMITS.layers, 0) ?? 0;
  const layers = required(file, 'block_count', SHAPE_LIMITS.layers) - drafts;
  if (layers < 1)
    throw new ShapeError(
      `${where}: expected more layers than ${drafts}, which draft tokens, got ${layers + drafts}`,
    );
  const heads = headCounts(file, layers);
  const dims = headDims(file, heads.query);
  const windows = findGgufWindows(file, layers);
  const shared = file.whole(SHARED, layers, 0) ?? usuallyShared(file, layers);
  const keeps = heads.kv.map((numKvHeads, layer): KvLayer => {
    if (numKvHeads === 0) return emptyLayer('none');
    if (layer >= layers - shared) return emptyLayer('shared');
    const window = windows.windowOf(layer);
    if (window === undefined) return { kind: 'global', numKvHeads, headDim: dims.headDim };
    return { kind: windows.kind, numKvHeads, headDim: dims.localHeadDim, window };
  });
  const own = keeps.filter(keepsKv);
  if (own.length === 0) throw new ShapeError(`${where}: no layer has a KV cache`);
  return {
    name: where,
    layers,
    hiddenSize: required(file, 'embedding_length', SHAPE_LIMITS.hiddenSize),
    numQHeads: heads.query,
    numKvHeads: Math.max(...own.map(({ numKvHeads }) => numKvHeads)),
    headDim: dims.headDim,
    kvLayers: groupLayers(keeps),
    source: `GGUF, architecture ${file.architecture}`,
    notes: [
      dims.note,
      ...heads.notes,
      ...windows.notes,
      ...(shared === 0
        ? []
        : [
            `layers that share a cache: the last ${shared}, ${file.has(SHARED) ? `from "${file.name(SHARED)}"` : `as in every ${file.architecture}`}`,
          ]),
      ...(drafts === 0
        ? []
        : [
            `${file.name(DRAFT_LAYERS)} (${drafts}): such layers, for drafting further tokens, are not counted`,
          ]),
    ],
  };
}

/** Older files of Gemma 3n do not say that the layers past the first 20 share. */
function usuallyShared({ architecture }: GgufFields, layers: number): number {
  return architecture === 'gemma3n' ? Math.max(0, layers - 20) : 0;
}

function required(file: GgufFields, key: string, max: number): number {
  const value = file.whole(key, max);
  if (value === undefined) throw new ShapeError(`${file.where}: expected ${file.name(key)}, got none`);
  return value;
}

function refuseOtherCaches(file: GgufFields): void {
  const refuse = (why: string) => {
    throw new ShapeError(`${file.where}: ${why}`);
  };
  if (file.has('attention.kv_lora_rank'))
    refuse(
      `expected no ${file.name('attention.kv_lora_rank')}: multi-head latent attention stores one compressed vector per token instead of K and V heads`,
    );
  if (WITH_ENCODER.includes(file.architecture))
    refuse('a model with an encoder; its config.json says what its decoder keeps, this file does not');
  if (file.value('attention.causal') === false) refuse('it is an encoder and keeps no KV cache');
  if (!file.has(HEAD_COUNT))
    refuse(`expected ${file.name(HEAD_COUNT)}, got none: without attention there is no KV cache`);
}

interface Heads {
  /** Query heads: the most of any layer. */
  readonly query: number;
  /** KV heads of each layer; 0 where it has no attention. */
  readonly kv: readonly number[];
  readonly notes: readonly string[];
}

function headCounts(file: GgufFields, layers: number): Heads {
  const perLayer = file.perLayer(HEAD_COUNT, layers, SHAPE_LIMITS.heads)!;
  const query = Math.max(...perLayer);
  if (query === 0)
    throw new ShapeError(
      `${file.where}: ${file.name(HEAD_COUNT)} is 0: without attention there is no KV cache`,
    );
  const given = file.perLayer(KV_HEADS, layers, SHAPE_LIMITS.heads);
  const counts = given ?? perLayer;
  counts.forEach((count, layer) => {
    const ofLayer = perLayer[layer]!;
    if (count > 0 && ofLayer % count !== 0)
      throw new ShapeError(
        `${file.where}: ${file.name(HEAD_COUNT)} (${ofLayer}) must be a multiple of ${file.name(KV_HEADS)} (${count})`,
      );
  });
  const attending = attendingLayers(file, layers, Array.isArray(file.value(KV_HEADS)));
  const kv = counts.map((count, layer) => (attending.attends(layer) ? count : 0));
  const used = [...new Set(kv.filter((count) => count > 0))].toSorted((a, b) => a - b);
  const note =
    given === undefined
      ? `KV heads ${used.join(', ')}, one for each query head ("${file.name(KV_HEADS)}" absent)`
      : `KV heads ${used.join(', ')} from "${file.name(KV_HEADS)}"`;
  const without = kv.filter((count) => count === 0).length;
  return {
    query,
    kv,
    notes: [
      note,
      ...(without === 0
        ? []
        : [`${without} of ${layers} layers have no attention, by "${file.name(attending.key)}"`]),
    ],
  };
}

/** Which layers have attention, and the key that says so. */
function attendingLayers(file: GgufFields, layers: number, isListed: boolean) {
  const recurrent = file.flags(RECURRENT, layers);
  if (recurrent) return { key: RECURRENT, attends: (layer: number) => !recurrent[layer] };
  const interval = file.whole(INTERVAL, layers);
  if (interval !== undefined)
    return { key: INTERVAL, attends: (layer: number) => (layer + 1) % interval === 0 };
  const hasOther = ['ssm.', 'wkv.', 'shortconv.'].some((group) => file.has(group));
  if (hasOther && !isListed && !HYBRID_LAYERS.includes(file.architecture))
    throw new ShapeError(
      `${file.where}: some layers of ${file.architecture} have a state instead of attention, and the file does not say which: expected a list under ${file.name(KV_HEADS)}, or ${file.name(INTERVAL)}`,
    );
  return { key: KV_HEADS, attends: () => true };
}

/** Elements of a head's K and V, of layers that see a window apart. */
function headDims(file: GgufFields, heads: number) {
  const own = keyAndValue(file, '');
  const localHeadDim = keyAndValue(file, '_swa');
  const key = file.name('attention.key_length');
  if (own !== undefined)
    return { headDim: own, localHeadDim: localHeadDim ?? own, note: `head_dim ${own} from "${key}"` };
  const width = required(file, 'embedding_length', SHAPE_LIMITS.hiddenSize);
  const division = `${file.name('embedding_length')} / ${file.name(HEAD_COUNT)} = ${width} / ${heads}`;
  if (width % heads !== 0)
    throw new ShapeError(`${file.where}: ${key} is absent and ${division} is no whole number`);
  const headDim = width / heads;
  return {
    headDim,
    localHeadDim: localHeadDim ?? headDim,
    note: `head_dim ${headDim} = ${division} ("${key}" absent)`,
  };
}

function keyAndValue(file: GgufFields, suffix: string): number | undefined {
  const [k, v] = (['key', 'value'] as const).map((part) => `attention.${part}_length${suffix}`) as [
    string,
    string,
  ];
  const [key, value] = [k, v].map((name) => file.whole(name, SHAPE_LIMITS.headDim));
  if (key !== undefined && value !== undefined && key !== value)
    throw new ShapeError(
      `${file.where}: ${file.name(v)} expected ${key} like ${file.name(k)}, got ${value}: K and V heads of different sizes are not supported`,
    );
  return key ?? value;
}
