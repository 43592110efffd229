// attention.ts: finds a model's attention modules in its tensor names, and checks every one of their shapes.
import { shapeFromConfig } from '../models/config.ts';
import { asFields, type Fields } from '../models/configFields.ts';
import type { ModelShape } from '../models/presets.ts';
import { fail, list, quote } from './checkpointError.ts';
import { detect, inLayer, matchOf, shapeError, type ModelTensors } from './detect.ts';
import { isFused, isOf, type Family, type ModuleSpec, type PartSpec, type Positions } from './family.ts';
import { FAMILIES } from './families.ts';
import { viewOf, type HeadCounts, type SlotOrder, type View } from './layout.ts';
import { refuseQuantised } from './quantised.ts';
import type { TensorSpec } from './safetensors.ts';
import { otherAttention } from './strayAttention.ts';

/** A tensor of a module that holds heads. */
export interface Part {
  readonly tensor: TensorSpec;
  readonly order: SlotOrder;
  readonly axis: 0 | 1;
  readonly view: View;
  /** A projection and its bias, or a table that goes with them. */
  readonly kind: 'weight' | 'bias' | 'table';
  /** True when a head has head_dim rows here, which matrices can act on; false for one number (or row) a head. */
  readonly isHead: boolean;
}

/** The self- or cross-attention of one layer. */
export interface AttentionModule {
  readonly name: string;
  readonly kind: 'self' | 'cross';
  readonly layer: number;
  readonly parts: readonly Part[];
  /** Names of the weights of the norms over each head's q and k, where there are any. */
  readonly norms: { readonly q: string; readonly k: string } | undefined;
}

/** What a checkpoint's attention is. */
export interface Attention extends HeadCounts {
  readonly family: Family;
  readonly shape: ModelShape;
  readonly headDim: number;
  /** The fields of config.json that describe the text model. */
  readonly config: Fields;
  /** The field of config.json that they stand in; undefined where they stand at the top. */
  readonly inside: string | undefined;
  /** Undefined when the model type is not one whose rotation of q and k is known. */
  readonly positions: Positions | undefined;
  readonly modules: readonly AttentionModule[];
  /** Names of attention projections that are not of these modules and keep their heads: of an encoder, say. */
  readonly others: readonly string[];
}

export interface AttentionOptions {
  /** A family made from name patterns, instead of one that is detected. */
  readonly family?: Family;
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
  const fields = textFields(config, where);
  refuseQuantised(new Set(tensors.keys()), asFields(config, `${where}/config.json`), where);
  const shape = shapeFromConfig(config, `${where}/config.json`);
  const counts = { numQHeads: shape.numQHeads, numKvHeads: shape.numKvHeads };
  if (options.family) checkOrder(options.family, fields, where);
  const { family, prefix } = options.family
    ? (matchOf(options.family, tensors, where) ?? fail(noSuchNames(options.family, where)))
    : detect(tensors, { shape, config: fields }, where);
  const context = { tensors, shape, prefix, where };
  const modules = Array.from({ length: shape.layers }, (_, layer) =>
    family.modules.map((spec) => moduleOf(spec, layer, context)),
  ).flat();
  const others = otherAttention(family, modules, context);
  const positions =
    options.positions?.(shape.headDim) ??
    (isOf(family, fields) ? positionsOf(family, fields, shape) : undefined);
  const inside = fields === config ? undefined : TEXT_CONFIG;
  return {
    family,
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

/** What --map says of a fused projection must not contradict what is known of the model type. */
function checkOrder(given: Family, config: Fields, where: string): void {
  const known = FAMILIES.find((family) => isFused(family) && isOf(family, config));
  if (!known || !isFused(given)) return;
  const orderOf = ({ modules }: Family) => modules[0]!.parts[0]!.order;
  if (orderOf(known) === orderOf(given)) return;
  fail(
    `${where}: --map says that the fused projection is ${orderOf(given)}, but that of ${known.name} is ${orderOf(known)}`,
  );
}

function noSuchNames({ modules }: Family, where: string): string {
  const names = modules[0]!.parts.filter(({ optional }) => !optional).map(({ name }) => quote(name));
  return `${where}: --map: no layer has the tensors ${names.join(', ')}`;
}

const TEXT_CONFIG = 'text_config';

/** The fields of the text model: those of `text_config` where there is one that has the head counts. */
function textFields(config: unknown, where: string): Fields {
  const top = asFields(config, `${where}/config.json`);
  const nested = top[TEXT_CONFIG];
  const heads = ['num_attention_heads', 'n_head', 'num_heads'];
  if (nested === undefined || nested === null || heads.some((name) => top[name] !== undefined)) return top;
  return asFields(nested, `${where}/config.json: ${TEXT_CONFIG}`);
}

function positionsOf(family: Family, config: Fields, { headDim }: ModelShape): Positions | undefined {
  if (family.pairing === undefined) return undefined;
  if (family.pairing === 'none') return { pairing: 'none', rotaryDims: 0 };
  return { pairing: family.pairing, rotaryDims: Math.floor(headDim * family.rotaryShare(config)) };
}

function moduleOf(spec: ModuleSpec, layer: number, context: ModelTensors): AttentionModule {
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
