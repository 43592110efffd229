// tensorsOf.ts: the tensors that a checkpoint of a config.json has, by its family, where there is no checkpoint to look into.
import { shapeFromConfig } from '../../models/config.ts';
import { field, wholeOf, type ConfigFile } from '../../models/configFields.ts';
import { openConfig } from '../../models/configText.ts';
import type {
  DecoderFormat,
  EncoderFormat,
  MlpNames,
  OptionalTensors,
} from '../../models/families/decoderFormat.ts';
import { isOf, type CheckpointFormat } from '../../models/families/family.ts';
import type { ModuleSpec, PartSpec } from '../../models/families/moduleSpec.ts';
import { llamaFormat } from '../../models/families/format.ts';
import { slotsOf } from '../../models/families/headSlots.ts';
import { decoderOf, FORMATS } from '../../models/families/index.ts';
import type { ModelShape } from '../../models/presets.ts';
import { inLayer } from '../find/detect.ts';
import { fail, quote } from '../format/checkpointError.ts';
import type { TensorSpec } from '../format/safetensors.ts';

/** Widths beyond this are no model's. */
const MOST = 2 ** 24;

interface Known {
  readonly file: ConfigFile;
  readonly shape: ModelShape;
  readonly format: DecoderFormat;
  readonly attention: CheckpointFormat;
  readonly has: OptionalTensors;
  readonly where: string;
}

/**
 * Names and shapes of the tensors of a model that is known as a whole, names without the prefix that checkpoints put in front. Throws a
 * CheckpointError for a type that is not known as a whole, ShapeError for sizes that are missing or wrong.
 */
export function tensorsOf(config: unknown, dtype: string, where: string): Map<string, TensorSpec> {
  const at = `${where}/config.json`;
  const file = openConfig(config, at);
  const format = decoderOf(file.type, file.own);
  if (!format) fail(`${where}: a model of type ${quote(file.modelType)} is not known as a whole`);
  // What no format names has Llama's tensors.
  const attention = FORMATS.find((each) => isOf(each, file.fields)) ?? llamaFormat(file.type);
  const shape = shapeFromConfig(config, at);
  const known = { file, shape, format, attention, has: format.has(file.fields), where: at };
  const all = [...outsideLayers(known)];
  for (let layer = 0; layer < shape.layers; layer++) {
    for (const [name, sizes] of inEachLayer(known, layer)) all.push([inLayer(name, layer), sizes]);
  }
  const { encoder } = format;
  const encoderLayers = encoder ? sizeOf(known, encoder.layers) : 0;
  for (let layer = 0; layer < encoderLayers; layer++) {
    for (const [name, sizes] of inEachOfEncoder(known, encoder!, layer))
      all.push([inLayer(name, layer), sizes]);
  }
  return new Map(all.map(([name, sizes]) => [name, { name, dtype, shape: sizes }]));
}

type Named = readonly [name: string, shape: readonly number[]];

function sizeOf({ file, where }: Known, names: readonly string[], usual?: number): number {
  for (const name of names) {
    const value = field(file, name);
    if (value !== undefined && value !== null) return wholeOf(where, name, value, 1, MOST);
  }
  return usual ?? fail(`${where}: expected ${names.join(' or ')}, got none`);
}

function* outsideLayers(known: Known): Generator<Named> {
  const { format, shape, file } = known;
  const vocab = sizeOf(known, ['vocab_size']);
  yield [format.embedding, [vocab, shape.hiddenSize]];
  if (format.positions !== undefined) {
    yield [
      format.positions,
      [sizeOf(known, ['n_positions', 'max_position_embeddings'], 1024), shape.hiddenSize],
    ];
  }
  yield* norm(known, format.finalNorm);
  const isTied = (field(file, 'tie_word_embeddings') ?? format.tied) === true;
  if (!isTied) yield [format.head, [vocab, shape.hiddenSize]];
}

function* inEachLayer(known: Known, layer: number): Generator<Named> {
  const { format, attention } = known;
  for (const name of Object.values(format.norms)) yield* norm(known, name);
  yield* norm(known, format.encoder?.crossNorm);
  for (const module of attention.modules) yield* heads(known, module, layer);
  yield* mlp(known, format.mlp);
}

function* inEachOfEncoder(known: Known, encoder: EncoderFormat, layer: number): Generator<Named> {
  if (layer === 0) yield* norm(known, encoder.finalNorm);
  for (const name of Object.values(encoder.norms)) yield* norm(known, name);
  // Conversion leaves an encoder's heads as they are.
  const { shape } = known;
  const own = { ...known, shape: { ...shape, numKvHeads: shape.numQHeads } };
  yield* heads(own, encoder.attention, layer);
  yield* mlp(known, encoder.mlp);
}

/** The tensors of a module of attention; a table of biases by distance is in the first layer alone. */
function* heads(known: Known, { parts, norms }: ModuleSpec, layer: number): Generator<Named> {
  const { format, shape, has } = known;
  for (const part of parts) {
    if (!part.optional) yield* head(known, part);
    else if (format.relativeBias && part.rows === 'one' && layer === 0)
      yield [part.name, [sizeOf(known, ['relative_attention_num_buckets'], 32), shape.numQHeads]];
  }
  if (!has.qkNorm || !norms) return;
  yield [norms.q, [shape.headDim]];
  yield [norms.k, [shape.headDim]];
}

function* mlp(known: Known, names: MlpNames): Generator<Named> {
  const { hiddenSize } = known.shape;
  const { usualMlpFactor: factor } = known.format;
  const usual = factor && factor * hiddenSize;
  const width = sizeOf(known, ['intermediate_size', 'n_inner', 'd_ff'], usual);
  if ('gateUp' in names) yield* matrix(known, names.gateUp, 2 * width, hiddenSize);
  else {
    for (const name of [names.gate, names.up]) {
      if (name !== undefined) yield* matrix(known, name, width, hiddenSize);
    }
  }
  yield* matrix(known, names.down, hiddenSize, width);
}

function* matrix({ format, has }: Known, name: string, outputs: number, inputs: number): Generator<Named> {
  yield [name, format.transposed ? [inputs, outputs] : [outputs, inputs]];
  if (has.mlpBias) yield [biasOf(name), [outputs]];
}

/** A projection of attention, and its bias. */
function* head({ shape, has }: Known, { name, order, axis }: PartSpec): Generator<Named> {
  const along = slotsOf(order, shape).length * shape.headDim;
  yield [name, axis === 0 ? [along, shape.hiddenSize] : [shape.hiddenSize, along]];
  if (order === 'o' ? has.oBias : has.qkvBias)
    yield [biasOf(name), [order === 'o' ? shape.hiddenSize : along]];
}

function* norm({ format, shape }: Known, name: string | undefined): Generator<Named> {
  if (name === undefined || format.norm.bare) return;
  yield [name, [shape.hiddenSize]];
  if (format.norm.kind === 'layer') yield [biasOf(name), [shape.hiddenSize]];
}

function biasOf(name: string): string {
  return name.replace(/weight$/, 'bias');
}
