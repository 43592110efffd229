// findAttention.ts: finds a model's attention modules in its tensor names, and checks every one of their shapes.
import { shapeFromConfig } from '../../models/config.ts';
import { asFields, type Fields } from '../../models/configFields.ts';
import { areAlike } from '../../models/kvLayers.ts';
import type { ModelShape } from '../../models/presets.ts';
import { fail, list, quote } from '../format/checkpointError.ts';
import { textPath } from '../../models/configText.ts';
import { objectAt, type Path } from './configHeads.ts';
import { detect, inLayer, matchOf, shapeError, type ModelTensors } from './detect.ts';
import { isFused, isOf, type CheckpointFormat, type Positions } from '../../models/families/family.ts';
import type { ModuleSpec, PartSpec } from '../../models/families/moduleSpec.ts';
import { FORMATS, rulesOf, typeOf } from '../../models/families/index.ts';
import { viewOf, type HeadCounts } from '../../models/families/headSlots.ts';
import { refuseAdapters } from './adapters.ts';
import { refuseQuantised } from './quantised.ts';
import type { TensorSpec } from '../format/safetensors.ts';
import type { AttentionModule, Part } from '../heads/attentionModule.ts';
import { otherAttention } from './strayAttention.ts';

/** What a checkpoint's attention is. */
export interface Attention extends HeadCounts {
  readonly format: CheckpointFormat;
  readonly shape: ModelShape;
  readonly headDim: number;
  /** The fields of config.json that describe the text model. */
  readonly config: Fields;
  /** The keys that lead to them; none where they stand at the top. */
  readonly inside: Path;
  /** Undefined when the model type is not one whose rotation of q and k is known. */
  readonly positions: Positions | undefined;
  readonly modules: readonly AttentionModule[];
  /** Names of attention projections that are not of these modules and keep their heads: of an encoder, say. */
  readonly others: readonly string[];
}

export interface AttentionOptions {
  /** A format made from name patterns, instead of one that is detected. */
  readonly format?: CheckpointFormat;
  /** How positions reach q and k, instead of what the model type says. */
  readonly positions?: (headDim: number) => Positions;
}

/**
 * Finds the attention modules of a model. `tensors` are all tensors by name, `config` the parsed config.json, `where`
 * the folder, for messages. What does not fit is a CheckpointError or ShapeError that names tensor and rule.
 */
export function findAttention(
  tensors: ReadonlyMap<string, TensorSpec>,
  config: unknown,
  where: string,
  options: AttentionOptions = {},
): Attention {
  const top = asFields(config, `${where}/config.json`);
  refuseQuantised(new Set(tensors.keys()), top, where);
  refuseAdapters(tensors.keys(), where);
  const inside = textPath(top);
  const fields = objectAt(top, inside);
  const shape = shapeFromConfig(config, `${where}/config.json`);
  if (!areAlike(shape.kvLayers))
    fail(
      `${where}: config.json has layers without KV heads of their own, or with other numbers of them: expected layers that are alike`,
    );
  const counts = { numQHeads: shape.numQHeads, numKvHeads: shape.numKvHeads };
  if (options.format) checkOrder(options.format, fields, where);
  const { format, prefix } = options.format
    ? (matchOf(options.format, tensors, where) ?? fail(noSuchNames(options.format, where)))
    : detect(tensors, { shape, config: fields }, where);
  const context = { tensors, shape, prefix, where };
  const modules = Array.from({ length: shape.layers }, (_, layer) =>
    format.modules.map((spec) => moduleOf(spec, layer, context)),
  ).flat();
  const others = otherAttention(format, modules, context);
  const positions =
    options.positions?.(shape.headDim) ??
    (isOf(format, fields) ? positionsOf(format, fields, shape) : undefined);
  return {
    format,
    shape,
    headDim: shape.headDim,
    config: fields,
    inside,
    positions,
    modules,
    others,
    ...counts,
  };
}

/** What --map says of a tensor must not contradict what is known of the model type. */
function checkOrder(given: CheckpointFormat, config: Fields, where: string): void {
  if (rulesOf(typeOf(config)).hasOtherFusedOrder === true && isFused(given))
    fail(
      `${where}: the order of the fused projection of ${String(config['model_type'])} is none that --map knows`,
    );
  const known = FORMATS.filter((format) => isOf(format, config)).flatMap(({ modules }) => modules);
  for (const part of given.modules.flatMap(({ parts }) => parts)) {
    const same = known
      .flatMap(({ parts }) => parts)
      .find(({ name }) => part.name === name || part.name.endsWith(`.${name}`));
    if (!same || (same.order === part.order && same.axis === part.axis)) continue;
    const say = ({ order, axis }: PartSpec) => `${order} along axis ${axis}`;
    fail(
      `${where}: --map says that ${quote(part.name)} is ${say(part)}, but in a model of type ${String(config['model_type'])} it is ${say(same)}`,
    );
  }
}

function noSuchNames({ modules }: CheckpointFormat, where: string): string {
  const names = modules[0]!.parts.filter(({ optional }) => !optional).map(({ name }) => quote(name));
  return `${where}: --map: no layer has the tensors ${names.join(', ')}`;
}

function positionsOf(
  format: CheckpointFormat,
  config: Fields,
  { headDim }: ModelShape,
): Positions | undefined {
  if (format.pairing === undefined) return undefined;
  if (format.pairing === 'none') return { pairing: 'none', rotaryDims: 0 };
  return { pairing: format.pairing, rotaryDims: Math.floor(headDim * format.rotaryShare(config)) };
}

/** A module of a layer. A tensor that is missing, or of another shape, is a CheckpointError. */
export function moduleOf(spec: ModuleSpec, layer: number, context: ModelTensors): AttentionModule {
  const named = (name: string) => context.prefix + inLayer(name, layer);
  const parts = spec.parts.flatMap((part) => {
    const name = named(part.name);
    const tensor = context.tensors.get(name);
    if (tensor) return [partOf(part, tensor, context)];
    if (part.optional) return [];
    return fail(
      `${context.where}: tensor ${quote(name)} is missing: layer ${layer} of ${context.shape.layers} must have it`,
    );
  });
  const folder = spec.folder ?? spec.parts[0]!.name.replace(/[^.]*\.weight$/, '');
  return {
    name: named(folder).replace(/\.$/, ''),
    kind: spec.kind,
    layer,
    parts,
    norms: normsOf(spec, named, context),
  };
}

function normsOf(
  { norms }: ModuleSpec,
  named: (name: string) => string,
  { tensors, shape, where }: ModelTensors,
): AttentionModule['norms'] {
  if (!norms) return undefined;
  const names = { q: named(norms.q), k: named(norms.k) };
  const found = [names.q, names.k].flatMap((name) => tensors.get(name) ?? []);
  if (found.length === 0) return undefined;
  if (found.length === 1) {
    const missing = tensors.has(names.q) ? names.k : names.q;
    fail(`${where}: tensor ${quote(missing)} is missing: q and k are normalised both or neither`);
  }
  for (const { name, shape: given } of found) {
    if (given.length === 1 && given[0] === shape.headDim) continue;
    fail(
      `${where}: tensor ${quote(name)}: expected [${shape.headDim}], a norm over each head (head_dim), got ${list(given)}`,
    );
  }
  return names;
}

function partOf(spec: PartSpec, tensor: TensorSpec, { shape, where }: ModelTensors): Part {
  const error = shapeError(spec, tensor, shape);
  if (error !== undefined) fail(`${where}: tensor ${quote(tensor.name)}: ${error}`);
  const rows = spec.rows === 'headDim' ? shape.headDim : 1;
  const view = viewOf(tensor.shape, spec.axis, rows);
  const kind = spec.other === 'hidden' ? 'weight' : spec.other === 'none' ? 'bias' : 'table';
  return { tensor, order: spec.order, axis: spec.axis, view, kind, isHead: spec.rows === 'headDim' };
}
