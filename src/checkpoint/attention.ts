// attention.ts: finds a model's attention modules in its tensor names, and checks every one of their shapes.
import { shapeFromConfig } from '../models/config.ts';
import { asFields, type Fields } from '../models/configFields.ts';
import { areAlike } from '../models/kvLayers.ts';
import type { ModelShape } from '../models/presets.ts';
import { fail, list, quote } from './checkpointError.ts';
import { FAMILIES, type Family, type ModuleSpec, type PartSpec, type Positions } from './families.ts';
import { slotsOf, viewOf, type HeadCounts, type SlotOrder, type View } from './layout.ts';
import type { TensorSpec } from './safetensors.ts';

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
  const shape = shapeFromConfig(config, `${where}/config.json`);
  if (!areAlike(shape.kvLayers))
    fail(
      `${where}: config.json has layers without KV heads of their own, or with other numbers of them: expected layers that are alike`,
    );
  const fields = textFields(config, where);
  const counts = { numQHeads: shape.numQHeads, numKvHeads: shape.numKvHeads };
  const modelType = typeof fields['model_type'] === 'string' ? fields['model_type'] : undefined;
  const found = options.family
    ? matchOf(options.family, tensors, where)
    : detect(tensors, { shape, modelType }, where);
  const { family, prefix } = found ?? fail(unknownNames(tensors, modelType, where));
  const context = { tensors, shape, prefix, where };
  const modules = Array.from({ length: shape.layers }, (_, layer) =>
    family.modules.map((spec) => moduleOf(spec, layer, context)),
  ).flat();
  checkNothingElse(family, modules, context);
  const known = modelType === undefined ? !options.family : family.modelTypes.includes(modelType);
  const positions =
    options.positions?.(shape.headDim) ?? (known ? positionsOf(family, fields, shape) : undefined);
  const inside = fields === config ? undefined : TEXT_CONFIG;
  return { family, shape, headDim: shape.headDim, config: fields, inside, positions, modules, ...counts };
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

function positionsOf(family: Family, config: Fields, { headDim }: ModelShape): Positions {
  if (family.pairing === 'none') return { pairing: 'none', rotaryDims: 0 };
  return { pairing: family.pairing, rotaryDims: Math.floor(headDim * family.rotaryShare(config)) };
}

interface Match {
  readonly family: Family;
  readonly prefix: string;
}

/** The family whose names the tensors have; of several with the same names the one that the type or the shapes say. */
function detect(
  tensors: ReadonlyMap<string, TensorSpec>,
  { shape, modelType }: { shape: ModelShape; modelType: string | undefined },
  where: string,
): Match | undefined {
  const matches = FAMILIES.flatMap((family) => matchOf(family, tensors, where) ?? []);
  const byType = matches.filter(
    ({ family }) => modelType !== undefined && family.modelTypes.includes(modelType),
  );
  const candidates = byType.length > 0 ? byType : matches;
  return candidates.find((match) => firstShapesFit(match, tensors, shape)) ?? candidates[0];
}

function firstShapesFit(
  { family, prefix }: Match,
  tensors: ReadonlyMap<string, TensorSpec>,
  shape: ModelShape,
): boolean {
  return family.modules[0]!.parts.every((part) => {
    const tensor = tensors.get(prefix + inLayer(part.name, 0));
    return part.optional || (tensor !== undefined && shapeError(part, tensor, shape) === undefined);
  });
}

/** The prefix under which a layer has the tensors that the family must have. */
function matchOf(family: Family, tensors: ReadonlyMap<string, TensorSpec>, where: string): Match | undefined {
  const required = family.modules.flatMap(({ parts }) => parts.filter(({ optional }) => !optional));
  const [first] = required;
  const pattern = new RegExp(`^(.*?)${escape(first!.name).replace('\\{layer\\}', '(\\d+)')}$`);
  // One tensor that is missing is an error to report, not another family; but a prefix that has all comes first (beside
  // a text model, a vision model may have projections of the same names).
  const [whole, partly] = [new Set<string>(), new Set<string>()];
  for (const name of tensors.keys()) {
    const [, prefix, layer] = pattern.exec(name) ?? [];
    if (prefix === undefined || (prefix !== '' && !prefix.endsWith('.'))) continue;
    const there = required.filter((part) => tensors.has(prefix + inLayer(part.name, Number(layer))));
    if (there.length === required.length) whole.add(prefix);
    else if (there.length >= 2) partly.add(prefix);
  }
  const prefixes = [...(whole.size > 0 ? whole : partly)];
  if (prefixes.length > 1) {
    const found = prefixes.map(quote).join(', ');
    fail(`${where}: several models in one checkpoint, their tensors under ${found}; say which with --map`);
  }
  const [prefix] = prefixes;
  return prefix === undefined ? undefined : { family, prefix };
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function inLayer(name: string, layer: number): string {
  return name.replace('{layer}', String(layer));
}

function unknownNames(
  tensors: ReadonlyMap<string, TensorSpec>,
  modelType: string | undefined,
  where: string,
): string {
  const type = modelType === undefined ? 'config.json has no model_type' : `model_type ${quote(modelType)}`;
  const some = [...tensors.keys()].slice(0, 5).map(quote).join(', ');
  const known = FAMILIES.map(({ name }) => name).join(', ');
  return `${where}: the tensors have the names of no known family (${known}); ${type}, tensors ${some} ...; describe them with --map`;
}

interface Context {
  readonly tensors: ReadonlyMap<string, TensorSpec>;
  readonly shape: ModelShape;
  readonly prefix: string;
  readonly where: string;
}

function moduleOf(spec: ModuleSpec, layer: number, context: Context): AttentionModule {
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
  { tensors, shape, where }: Context,
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

function partOf(spec: PartSpec, tensor: TensorSpec, { shape, where }: Context): Part {
  const error = shapeError(spec, tensor, shape);
  if (error !== undefined) fail(`${where}: tensor ${quote(tensor.name)}: ${error}`);
  const rows = spec.rows === 'headDim' ? shape.headDim : 1;
  const view = viewOf(tensor.shape, spec.axis, rows);
  const kind = spec.other === 'hidden' ? 'weight' : spec.other === 'none' ? 'bias' : 'table';
  return { tensor, order: spec.order, axis: spec.axis, view, kind, isHead: spec.rows === 'headDim' };
}

/** What is wrong with a tensor's shape by the config, or undefined. */
function shapeError(spec: PartSpec, tensor: TensorSpec, shape: ModelShape): string | undefined {
  const slots = slotsOf(spec.order, shape).length;
  const along = slots * (spec.rows === 'headDim' ? shape.headDim : 1);
  const sizes = [along, ...(spec.other === 'none' ? [] : [spec.other === 'hidden' ? shape.hiddenSize : '*'])];
  const expected = spec.axis === 0 ? sizes : sizes.toReversed();
  const fits =
    tensor.shape.length === expected.length &&
    expected.every((size, i) => size === '*' || size === tensor.shape[i]);
  if (fits) return undefined;
  const counts = `${shape.numQHeads} query heads, ${shape.numKvHeads} KV heads, head_dim ${shape.headDim}, hidden size ${shape.hiddenSize}`;
  return `expected [${expected.join(', ')}] by config.json (${counts}), got ${list(tensor.shape)}`;
}

/** A tensor of an attention module that nobody knows could hold heads: it is refused, not copied. */
function checkNothingElse(family: Family, modules: readonly AttentionModule[], context: Context): void {
  const { tensors, shape, prefix, where } = context;
  const known = new Set(
    modules.flatMap(({ parts, norms, layer }) => [
      ...parts.map(({ tensor }) => tensor.name),
      ...(norms ? [norms.q, norms.k] : []),
      ...family.modules.flatMap(({ unchanged }) => unchanged.map((name) => prefix + inLayer(name, layer))),
    ]),
  );
  const folders = family.modules.flatMap(({ folder }) => folder ?? []);
  const patterns = folders.map(
    (folder) => new RegExp(`^${escape(prefix + folder).replace('\\{layer\\}', '(\\d+)')}`),
  );
  for (const name of tensors.keys()) {
    if (known.has(name)) continue;
    for (const pattern of patterns) {
      const layer = pattern.exec(name)?.[1];
      if (layer === undefined) continue;
      const why =
        Number(layer) >= shape.layers
          ? `config.json has ${shape.layers} layers, this is of layer ${layer}`
          : `not a known tensor of ${family.name} attention, and it may depend on the number of heads`;
      fail(`${where}: tensor ${quote(name)} is one too many: ${why}`);
    }
  }
}
