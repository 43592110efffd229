// describeModel.ts: what a checkpoint's model computes, from its config.json and the names and shapes of its tensors.
import { kvLayersFromConfig } from '../../models/config.ts';
import { asFields, field, listOf, type ConfigFile, type Fields } from '../../models/configFields.ts';
import { openConfig } from '../../models/configText.ts';
import type { ModelSpec, ProjectionSpec } from '../../models/decoder/spec.ts';
import { ropeNumber } from '../../models/families/format.ts';
import { DECODERS, decoderOf } from '../../models/families/index.ts';
import type { DecoderFormat } from '../../models/families/decoderFormat.ts';
import { inLayer } from '../find/detect.ts';
import { findAttention, type Attention } from '../find/findAttention.ts';
import { describe, fail, list, quote } from '../format/checkpointError.ts';
import type { TensorSpec } from '../format/safetensors.ts';
import { checkOnly, checkValues } from './configValues.ts';
import { crossOf, encoderOf, layerOf } from './describeLayers.ts';
import { bareNorm, missing, normOf, projection, use, type Source } from './source.ts';

/**
 * Describes a model. `tensors` are all tensors by name, `config` the parsed config.json, `where` the folder, for
 * messages. A model that is not known, a config that its tensors contradict, and a tensor that is missing or left over are each
 * a CheckpointError or ShapeError.
 */
export function describeModel(
  tensors: ReadonlyMap<string, TensorSpec>,
  config: unknown,
  where: string,
): ModelSpec {
  const at = `${where}/config.json`;
  const file = openConfig(config, at);
  refuseBothWays(asFields(config, at), at);
  const format = decoderOf(file.type, file.own);
  if (!format) return refuseType(file, where);
  checkValues(file.own, at);
  checkOnly(file.own, format, at);
  const attention = findAttention(tensors, config, where);
  const fields = { ...format.defaults, ...file.fields };
  const source: Source = {
    tensors,
    file,
    config: fields,
    format,
    has: format.has(fields),
    attention,
    layers: kvLayersFromConfig(config, at),
    prefix: prefixOf(attention),
    where,
    isEncoder: false,
    used: new Set(),
  };
  checkWindows(source);
  const spec = modelOf(source);
  checkLeftOver(source);
  return spec;
}

/** Models of other inputs whose text model is of a known type, but sees the tokens of a prompt that stand behind a token. */
const BOTH_WAYS = ['paligemma'];

function refuseBothWays({ model_type: type }: Fields, where: string): void {
  if (typeof type !== 'string' || !BOTH_WAYS.includes(type)) return;
  fail(
    `${where}: a model of type ${quote(type)} sees its prompt both ways, which is not known: expected a causal model`,
  );
}

function refuseType({ modelType }: ConfigFile, where: string): never {
  const known = [...new Set(DECODERS.flatMap(({ modelTypes }) => modelTypes))].join(', ');
  return fail(
    `${where}: a model of type ${quote(modelType)} is not known as a whole, only by its attention at most; known are ${known}`,
  );
}

/** What stands in front of "layers.0..." in the names of tensors. */
function prefixOf({ format, modules }: Attention): string {
  const folder = inLayer(format.modules[0]!.folder ?? '', 0).replace(/\.$/, '');
  return modules[0]!.name.slice(0, modules[0]!.name.length - folder.length);
}

/** Layers whose windows the class of the model would pass over, or give to all. */
function checkWindows({ format, file, layers, where }: Source): void {
  const { localLayers } = format;
  const local = layers.filter(({ window }) => window !== undefined).length;
  const types = listOf(file, 'layer_types') ?? [];
  if (local === 0 && types.includes('sliding_attention')) {
    fail(`${where}/config.json: layer_types has layers with a window, but no window is switched on`);
  }
  if (local === 0 || localLayers === undefined || (localLayers === 'all' && local === layers.length)) return;
  const expected = localLayers === 'none' ? 'none' : 'all or none';
  fail(
    `${where}/config.json: a window on ${local} of ${layers.length} layers is not known for a model of type ${quote(file.modelType)}: expected ${expected}`,
  );
}

function modelOf(source: Source): ModelSpec {
  const { format, attention, config, prefix } = source;
  const { hiddenSize } = attention.shape;
  const vocabSize = vocabOf(source);
  const named = (name: string) => prefix + name;
  const embedding = use(source, named(format.embedding), [vocabSize, hiddenSize]);
  return {
    type: source.file.modelType,
    vocabSize,
    hiddenSize,
    embedding: {
      tensor: embedding,
      scale: format.scalesEmbedding ? Math.sqrt(hiddenSize) : 1,
      ...(format.positions !== undefined && { positions: positionsOf(source, named(format.positions)) }),
      ...(format.norm.afterEmbedding && { norm: bareNorm(source) }),
    },
    ...(format.encoder && { encoder: encoderOf(source, format.encoder, vocabSize) }),
    layers: attention.modules
      .filter(({ kind }) => kind === 'self')
      .map((module) => ({ ...layerOf(source, module), ...crossOf(source, module.layer) })),
    finalNorm: normOf(source, format.finalNorm === undefined ? undefined : named(format.finalNorm)),
    head: headOf(source, vocabSize, hiddenSize),
    eos: eosOf(config),
    ...trainedPositionsOf(config),
  };
}

/** By the names of its field in configs: Llama's and GPT-2's. */
function trainedPositionsOf(config: Fields): Pick<ModelSpec, 'trainedPositions'> {
  const given = [config['max_position_embeddings'], config['n_positions']].find(
    (value) => Number.isSafeInteger(value) && Number(value) > 0,
  );
  return given === undefined ? {} : { trainedPositions: Number(given) };
}

/** The rows of the embedding; a config that has another number is refused. */
function vocabOf(source: Source): number {
  const { tensors, prefix, format, config, where } = source;
  const name = prefix + format.embedding;
  const tensor = tensors.get(name) ?? missing(source, name);
  const [rows] = tensor.shape;
  const given = config['vocab_size'];
  if (rows === undefined || (given !== undefined && given !== rows)) {
    fail(
      `${where}: tensor ${quote(name)}: expected vocab_size (${describe(given)}) rows, got ${list(tensor.shape)}`,
    );
  }
  return rows;
}

function positionsOf(source: Source, name: string): { tensor: string; count: number } {
  const count = source.tensors.get(name)?.shape[0] ?? 0;
  return { tensor: use(source, name, [count, source.attention.shape.hiddenSize]), count };
}

/** A head that is in the checkpoint is the head, though the config call it the embedding: some files have both, and they differ. */
function headOf(source: Source, vocabSize: number, hiddenSize: number): ModelSpec['head'] {
  const { format, config, file, where } = source;
  const softcap = ropeNumber(config, 'final_logit_softcapping');
  const scales = format.scalesTiedHead === undefined ? undefined : config[format.scalesTiedHead];
  const isTied = (field(file, 'tie_word_embeddings') ?? format.tied) === true;
  const isScaled = format.scalesTiedHead !== undefined && (scales ?? isTied) === true;
  const own = headProjection(source, vocabSize, hiddenSize);
  if (!own && !isTied && typeof scales !== 'boolean') {
    fail(
      `${where}: tensor ${quote(format.head)} is missing, and tie_word_embeddings is not true in config.json`,
    );
  }
  return {
    ...(own && { projection: own }),
    ...(isScaled && { scale: 1 / Math.sqrt(hiddenSize) }),
    ...(softcap !== undefined && { softcap }),
  };
}

function headProjection(source: Source, vocabSize: number, hiddenSize: number): ProjectionSpec | undefined {
  const { format, prefix, tensors, where } = source;
  // Beside a model of other inputs the head stands where the text model does.
  const outer = prefix.replace(/(^|\.)[^.]+\.$/, '$1');
  const heads = headsOf(format);
  const name = [...heads, ...heads.map((head) => outer + head)].find((each) => tensors.has(each));
  if (name === undefined) return undefined;
  const bias = name.replace(/weight$/, 'bias');
  if (tensors.has(bias)) fail(`${where}: tensor ${quote(bias)} is none that a model of its type has`);
  return projection(
    source,
    use(source, name, [vocabSize, hiddenSize]),
    false,
    vocabSize,
    (row) => row,
    false,
  );
}

function headsOf({ head, newerHead }: DecoderFormat): string[] {
  return newerHead === undefined ? [head] : [head, newerHead];
}

/** The tokens that end a text, by the fields of a config. */
export function eosOf(config: Fields): number[] {
  const given = config['eos_token_id'];
  const all = Array.isArray(given) ? (given as unknown[]) : [given];
  return all.filter((id): id is number => Number.isSafeInteger(id));
}

/** Buffers that older versions of a family's code saved beside the weights. */
const BUFFER = /(^|\.)(rotary_emb\.inv_freq|attn\.(bias|masked_bias)|attention\.(bias|masked_bias))$/;

/** A tensor of the text model that nothing reads means that it computes something else. */
function checkLeftOver({ tensors, used, prefix, where, format }: Source): void {
  const left = [...tensors.keys()].filter(
    (name) =>
      name.startsWith(prefix) &&
      !used.has(name) &&
      !BUFFER.test(name) &&
      !headsOf(format).some((head) => name.endsWith(head)) &&
      format.unread?.test(name.slice(prefix.length)) !== true,
  );
  if (left.length === 0) return;
  const some = left.slice(0, 4).map(quote).join(', ');
  fail(`${where}: ${left.length} tensors are none that a model of its type has: ${some}`);
}
