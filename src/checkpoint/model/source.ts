// source.ts: what a description of a model is made from, and its projections and norms by the names of their tensors.
import type { ConfigFile, Fields } from '../../models/configFields.ts';
import type { NormSpec, ProjectionSpec } from '../../models/decoder/spec.ts';
import type { DecoderFormat, OptionalTensors } from '../../models/families/decoderFormat.ts';
import { ropeNumber } from '../../models/families/format.ts';
import type { KvLayer } from '../../models/kvLayers.ts';
import type { Attention } from '../find/findAttention.ts';
import { fail, list, quote } from '../format/checkpointError.ts';
import type { TensorSpec } from '../format/safetensors.ts';

/** What the parts of a description are made from. */
export interface Source {
  readonly tensors: ReadonlyMap<string, TensorSpec>;
  readonly file: ConfigFile;
  /** Its fields, with those that its class has by default. */
  readonly config: Fields;
  readonly format: DecoderFormat;
  /** What its type has by the config. */
  readonly has: OptionalTensors;
  readonly attention: Attention;
  readonly layers: readonly KvLayer[];
  /** In front of the names of layers. */
  readonly prefix: string;
  readonly where: string;
  /** Whether this is the part of a model whose tokens see those behind them. */
  readonly isEncoder: boolean;
  /** Names of tensors that the model uses. */
  readonly used: Set<string>;
}

/** A projection and its bias, which must be there where its model has one. */
export function projection(
  source: Source,
  tensor: string,
  transposed: boolean,
  outputs: number,
  rowOf: (output: number) => number,
  hasBias: boolean,
): ProjectionSpec {
  source.used.add(tensor);
  const bias = tensor.replace(/weight$/, 'bias');
  if (hasBias && !source.tensors.has(bias)) missing(source, bias);
  if (hasBias) source.used.add(bias);
  return { tensor, transposed, outputs, rowOf, ...(hasBias && { bias }) };
}

export function normOf(source: Source, name: string | undefined): NormSpec {
  const bare = bareNorm(source);
  if (name === undefined || source.format.norm.bare) return bare;
  const weight = use(source, name, [source.attention.shape.hiddenSize]);
  const bias =
    bare.kind === 'layer' &&
    use(source, name.replace(/weight$/, 'bias'), [source.attention.shape.hiddenSize]);
  return { ...bare, weight, ...(bias !== false && { bias }), fromOne: source.format.norm.fromOne === true };
}

export function bareNorm(source: Source): NormSpec {
  return { kind: source.format.norm.kind, fromOne: false, eps: epsOf(source) };
}

export function epsOf({ format, config }: Source): number {
  return ropeNumber(config, ...format.norm.fields) ?? format.norm.usualEps;
}

/** The name of a tensor of this shape. */
export function use(source: Source, name: string, expected: readonly number[]): string {
  const { shape } = source.tensors.get(name) ?? missing(source, name);
  if (shape.join() !== expected.join()) {
    fail(
      `${source.where}: tensor ${quote(name)}: expected ${list(expected)} by config.json, got ${list(shape)}`,
    );
  }
  source.used.add(name);
  return name;
}

export function missing({ where }: Source, name: string): never {
  return fail(`${where}: tensor ${quote(name)} is missing`);
}
