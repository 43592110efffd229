// describeModel.ts: what a checkpoint's model computes, from its config.json and the names and shapes of its tensors.
import type { Activation } from '../../kernels/model/product.ts';
import { kvLayersFromConfig } from '../../models/config.ts';
import { field, type ConfigFile, type Fields } from '../../models/configFields.ts';
import { openConfig } from '../../models/configText.ts';
import type {
  AttentionSpec,
  LayerSpec,
  MlpSpec,
  ModelSpec,
  NormSpec,
  ProjectionSpec,
} from '../../models/decoder/spec.ts';
import type { DecoderFormat, NormPlace } from '../../models/families/decoderFormat.ts';
import { slotsOf, type Role } from '../../models/families/headSlots.ts';
import { DECODERS, decoderOf } from '../../models/families/index.ts';
import { ropeNumber } from '../../models/families/format.ts';
import type { KvLayer } from '../../models/kvLayers.ts';
import { inLayer } from '../find/detect.ts';
import { findAttention, type Attention } from '../find/findAttention.ts';
import { describe, fail, list, quote } from '../format/checkpointError.ts';
import type { TensorSpec } from '../format/safetensors.ts';
import type { AttentionModule, Part } from '../heads/attentionModule.ts';
import { hasRopePerKind, ropeOfConfig } from './rope.ts';

/** What the parts of a description are made from. */
interface Source {
  readonly tensors: ReadonlyMap<string, TensorSpec>;
  readonly file: ConfigFile;
  /** Its fields, with those that its class has by default. */
  readonly config: Fields;
  readonly format: DecoderFormat;
  readonly attention: Attention;
  readonly layers: readonly KvLayer[];
  /** In front of the names of layers. */
  readonly prefix: string;
  readonly where: string;
  /** Names of tensors that the model uses. */
  readonly used: Set<string>;
}

/**
 * Describes a decoder-only model. `tensors` are all tensors by name, `config` the parsed config.json, `where` the folder, for
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
  const softcap = ropeNumber(config, 'final_logit_softcapping');
  const isTied = (field(source.file, 'tie_word_embeddings') ?? format.tied) === true;
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
    layers: attention.modules.map((module) => layerOf(source, module)),
    finalNorm: normOf(source, format.finalNorm === undefined ? undefined : named(format.finalNorm)),
    head: {
      ...(!isTied && { projection: headOf(source, vocabSize, hiddenSize) }),
      ...(softcap !== undefined && { softcap }),
    },
    eos: eosOf(config),
  };
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

function headOf(source: Source, vocabSize: number, hiddenSize: number): ProjectionSpec {
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

function eosOf(config: Fields): number[] {
  const given = config['eos_token_id'];
  const all = Array.isArray(given) ? (given as unknown[]) : [given];
  return all.filter((id): id is number => Number.isSafeInteger(id));
}

function layerOf(source: Source, module: AttentionModule): LayerSpec {
  const { format, config } = source;
  const { layer } = module;
  const norm = (place: NormPlace) => {
    const name = format.norms[place];
    return normOf(source, name === undefined ? undefined : source.prefix + inLayer(name, layer));
  };
  const { afterAttention, afterMlp } = format.norms;
  return {
    attentionNorm: norm('attention'),
    attention: attentionOf(source, module),
    ...(afterAttention !== undefined && { afterAttention: norm('afterAttention') }),
    mlpNorm: norm('mlp'),
    mlp: mlpOf(source, layer),
    ...(afterMlp !== undefined && { afterMlp: norm('afterMlp') }),
    parallel: format.parallel?.(config) ?? false,
  };
}

function attentionOf(source: Source, module: AttentionModule): AttentionSpec {
  const { attention, config, layers, format, file } = source;
  const { numQHeads, numKvHeads, headDim } = attention;
  const { layer } = module;
  const { window } = layers[layer]!;
  const softcap = ropeNumber(config, 'attn_logit_softcapping');
  const rope = (format.isRotary?.(file, layer) ?? true) ? ropeOf(source, window !== undefined) : undefined;
  const scale = attention.format.scale(config, headDim) * (format.layerScale?.(config, layer, headDim) ?? 1);
  return {
    numQHeads,
    numKvHeads,
    headDim,
    scale,
    ...(window !== undefined && { window }),
    ...(softcap !== undefined && { softcap }),
    ...(rope && { rope }),
    turnsBack: format.turnsBack ?? false,
    ...qkNormOf(source, module),
    q: headsOf(source, module, 'q'),
    k: headsOf(source, module, 'k'),
    v: headsOf(source, module, 'v'),
    o: headsOf(source, module, 'o'),
  };
}

function qkNormOf(source: Source, { norms }: AttentionModule): Pick<AttentionSpec, 'qkNorm'> {
  const { attention, format } = source;
  if (!norms && !attention.format.plainQkNorm) return {};
  for (const name of norms ? [norms.q, norms.k] : []) source.used.add(name);
  return {
    qkNorm: { ...norms, fromOne: norms !== undefined && format.norm.fromOne === true, eps: epsOf(source) },
  };
}

function ropeOf(source: Source, isLocal: boolean): AttentionSpec['rope'] {
  const { attention, config, format, where } = source;
  const { pairing = 'half', rotaryShare, usualTheta } = attention.format;
  if (pairing === 'none') return undefined;
  const rotaryDim = Math.floor(attention.headDim * rotaryShare(config));
  const local = isLocal && !hasRopePerKind(config) ? format.localRope?.(config) : undefined;
  const usual =
    typeof format.defaults?.['rope_theta'] === 'number' ? format.defaults['rope_theta'] : usualTheta;
  const kind = isLocal ? 'sliding_attention' : 'full_attention';
  const turns = local ?? ropeOfConfig(config, kind, usual, `${where}/config.json`);
  return { rotaryDim, style: pairing, ...turns };
}

/** Where the heads of a role are in the tensors of a module. */
function headsOf(source: Source, module: AttentionModule, role: Role): ProjectionSpec {
  const { attention, where } = source;
  const { numQHeads, numKvHeads, headDim } = attention;
  const has = (part: Part) => slotsOf(part.order, attention).some((slot) => slot.role === role);
  const weight = module.parts.find((part) => part.kind === 'weight' && has(part));
  if (!weight) fail(`${where}: ${module.name}: no tensor has its ${role} heads`);
  const { name } = weight.tensor;
  source.used.add(name);
  if (role === 'o') {
    // Its heads are its inputs: [hidden, heads], or transposed.
    const { hiddenSize } = attention.shape;
    return projection(source, name, weight.axis === 0, hiddenSize, (row) => row);
  }
  const slots = slotsOf(weight.order, attention);
  const places = Array.from({ length: role === 'q' ? numQHeads : numKvHeads }, (_, head) =>
    slots.findIndex((slot) => slot.role === role && slot.head === head),
  );
  const rowOf = (output: number) => places[Math.floor(output / headDim)]! * headDim + (output % headDim);
  return projection(source, name, weight.axis === 1, places.length * headDim, rowOf);
}

function mlpOf(source: Source, layer: number): MlpSpec {
  const { format, attention, tensors, prefix, where, config } = source;
  const { hiddenSize } = attention.shape;
  const transposed = format.transposed === true;
  const named = (name: string) => prefix + inLayer(name, layer);
  const outputsOf = (name: string) => {
    const { shape } = tensors.get(name) ?? missing(source, name);
    return shape[transposed ? 1 : 0] ?? 0;
  };
  const { mlp } = format;
  const down = named(mlp.down);
  const projections = (() => {
    if ('gateUp' in mlp) {
      const name = named(mlp.gateUp);
      const width = outputsOf(name) / 2;
      return {
        gate: projection(source, name, transposed, width, (row) => row),
        up: projection(source, name, transposed, width, (row) => width + row),
      };
    }
    const gate = mlp.gate === undefined ? undefined : named(mlp.gate);
    const up = named(mlp.up);
    const plain = (name: string) => projection(source, name, transposed, outputsOf(name), (row) => row);
    return { ...(gate !== undefined && { gate: plain(gate) }), up: plain(up) };
  })();
  const width = projections.up.outputs;
  const given = config['intermediate_size'] ?? config['n_inner'];
  const { shape: tensorShape } = tensors.get(down) ?? missing(source, down);
  const expected = transposed ? [width, hiddenSize] : [hiddenSize, width];
  if (tensorShape.join() !== expected.join() || (typeof given === 'number' && given !== width)) {
    fail(
      `${where}: tensor ${quote(down)}: expected ${list(expected)} by the projections before it and config.json (${describe(given)} wide), got ${list(tensorShape)}`,
    );
  }
  return {
    activation: activationOf(source),
    ...projections,
    down: projection(source, down, transposed, hiddenSize, (row) => row),
  };
}

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu_erf',
  gelu_python: 'gelu_erf',
  gelu_new: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  relu: 'relu',
  relu2: 'relu_squared',
};

function activationOf({ format, config, where }: Source): Activation {
  const { fields, usual } = format.activation;
  const name =
    fields.map((each) => config[each]).find((value) => value !== undefined && value !== null) ?? usual;
  const known = typeof name === 'string' && Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (known) return known;
  return fail(
    `${where}/config.json: ${fields[0]} of ${describe(name)} is not known: expected ${Object.keys(ACTIVATIONS).join(', ')}`,
  );
}

/** A projection and, where there is one beside it, its bias. */
function projection(
  source: Source,
  tensor: string,
  transposed: boolean,
  outputs: number,
  rowOf: (output: number) => number,
): ProjectionSpec {
  source.used.add(tensor);
  const bias = tensor.replace(/weight$/, 'bias');
  const has = bias !== tensor && source.tensors.has(bias);
  if (has) source.used.add(bias);
  return { tensor, transposed, outputs, rowOf, ...(has && { bias }) };
}

function normOf(source: Source, name: string | undefined): NormSpec {
  const bare = bareNorm(source);
  if (name === undefined || source.format.norm.bare) return bare;
  const weight = use(source, name, [source.attention.shape.hiddenSize]);
  const bias = name.replace(/weight$/, 'bias');
  const has = bare.kind === 'layer' && source.tensors.has(bias);
  if (has) source.used.add(bias);
  return { ...bare, weight, ...(has && { bias }), fromOne: source.format.norm.fromOne === true };
}

function bareNorm(source: Source): NormSpec {
  return { kind: source.format.norm.kind, fromOne: false, eps: epsOf(source) };
}

function epsOf({ format, config }: Source): number {
  return ropeNumber(config, ...format.norm.fields) ?? format.norm.usualEps;
}

/** The name of a tensor of this shape. */
function use(source: Source, name: string, expected: readonly number[]): string {
  const { shape } = source.tensors.get(name) ?? missing(source, name);
  if (shape.join() !== expected.join()) {
    fail(
      `${source.where}: tensor ${quote(name)}: expected ${list(expected)} by config.json, got ${list(shape)}`,
    );
  }
  source.used.add(name);
  return name;
}

function missing({ where }: Source, name: string): never {
  return fail(`${where}: tensor ${quote(name)} is missing`);
}

/** Buffers that older versions of a family's code saved beside the weights. */
const BUFFER = /(^|\.)(rotary_emb\.inv_freq|attn\.(bias|masked_bias)|attention\.(bias|masked_bias))$/;

/** A tensor of the text model that nothing reads means that it computes something else. */
function checkLeftOver({ tensors, used, prefix, where, format }: Source): void {
  const left = [...tensors.keys()].filter(
    (name) => name.startsWith(prefix) && !used.has(name) && !BUFFER.test(name) && !name.endsWith(format.head),
  );
  if (left.length === 0) return;
  const some = left.slice(0, 4).map(quote).join(', ');
  fail(`${where}: ${left.length} tensors are none that a model of its type has: ${some}`);
}
