// describeModel.ts: what a checkpoint's model computes, from its config.json and the names and shapes of its tensors.
import { kvLayersFromConfig } from '../../models/config.ts';
import { field, type ConfigFile, type Fields } from '../../models/configFields.ts';
import { openConfig } from '../../models/configText.ts';
import type { ModelSpec, ProjectionSpec } from '../../models/decoder/spec.ts';
import { ropeNumber } from '../../models/families/format.ts';
import { DECODERS, decoderOf } from '../../models/families/index.ts';
import { inLayer } from '../find/detect.ts';
import { findAttention, type Attention } from '../find/findAttention.ts';
import { describe, fail, list, quote } from '../format/checkpointError.ts';
import type { TensorSpec } from '../format/safetensors.ts';
import { checkValues } from './configValues.ts';
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
  const format = decoderOf(file.type, file.own);
  if (!format) return refuseType(file, where);
  checkValues(file.own, at);
  const attention = findAttention(tensors, config, where);
  const source: Source = {
    tensors,
    file,
    config: { ...format.defaults, ...file.fields },
    format,
    attention,
    layers: kvLayersFromConfig(config, at),
    prefix: prefixOf(attention),
    where,
    isEncoder: false,
    used: new Set(),
  };
  checkOnly(source);
  const spec = modelOf(source);
  checkLeftOver(source);
  return spec;
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

function checkOnly({ format, config, where }: Source): void {
  for (const [name, values] of Object.entries(format.only ?? {})) {
    const value = config[name];
    if (value === undefined || value === null || values.includes(value)) continue;
    fail(`${where}/config.json: ${name} of ${describe(value)} is not known: expected ${values.join(' or ')}`);
  }
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

function headOf(source: Source, vocabSize: number, hiddenSize: number): ModelSpec['head'] {
  const { format, config, file, tensors } = source;
  const softcap = ropeNumber(config, 'final_logit_softcapping');
  const scales = format.scalesTiedHead === undefined ? undefined : config[format.scalesTiedHead];
  const isTied =
    typeof scales === 'boolean'
      ? !tensors.has(format.head)
      : (field(file, 'tie_word_embeddings') ?? format.tied) === true;
  const isScaled = format.scalesTiedHead !== undefined && (scales ?? isTied) === true;
  return {
    ...(!isTied && { projection: headProjection(source, vocabSize, hiddenSize) }),
    ...(isScaled && { scale: 1 / Math.sqrt(hiddenSize) }),
    ...(softcap !== undefined && { softcap }),
  };
}

function headProjection(source: Source, vocabSize: number, hiddenSize: number): ProjectionSpec {
  const { format, prefix, tensors } = source;
  // Beside a model of other inputs the head stands where the text model does.
  const outer = prefix.replace(/(^|\.)[^.]+\.$/, '$1');
  const names = [format.head, outer + format.head];
  const name = names.find((each) => tensors.has(each));
  if (name === undefined) {
    return fail(
      `${source.where}: tensor ${quote(format.head)} is missing, and tie_word_embeddings is not true in config.json`,
    );
  }
  return projection(source, use(source, name, [vocabSize, hiddenSize]), false, vocabSize, (row) => row);
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
function checkLeftOver({ tensors, used, prefix, where, format: { head, unread } }: Source): void {
  const left = [...tensors.keys()].filter(
    (name) =>
      name.startsWith(prefix) &&
      !used.has(name) &&
      !BUFFER.test(name) &&
      !name.endsWith(head) &&
      unread?.test(name.slice(prefix.length)) !== true,
  );
  if (left.length === 0) return;
  const some = left.slice(0, 4).map(quote).join(', ');
  fail(`${where}: ${left.length} tensors are none that a model of its type has: ${some}`);
}
