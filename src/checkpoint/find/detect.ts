// detect.ts: which format a checkpoint is of, by its tensor names and its config.
import type { Fields } from '../../models/configFields.ts';
import type { ModelShape } from '../../models/presets.ts';
import { fail, list, quote } from '../format/checkpointError.ts';
import { FORMATS } from '../../models/families/index.ts';
import { isFused, isOf, MODULE, type CheckpointFormat } from '../../models/families/family.ts';
import type { PartSpec } from '../../models/families/moduleSpec.ts';
import { slotsOf } from '../../models/families/headSlots.ts';
import { mapHint } from './mapHint.ts';
import type { TensorSpec } from '../format/safetensors.ts';

/** A format, and what stands in front of its tensor names. */
export interface Match {
  readonly format: CheckpointFormat;
  readonly prefix: string;
}

/** Where the tensors of a model are. */
export interface ModelTensors {
  readonly tensors: ReadonlyMap<string, TensorSpec>;
  readonly shape: ModelShape;
  readonly prefix: string;
  readonly where: string;
}

interface Model {
  readonly shape: ModelShape;
  readonly config: Fields;
}

/**
 * The format whose names the tensors have. Families share names: the config decides between them, and the order inside a
 * fused projection is never taken from names alone. A model of no known format is a CheckpointError.
 */
export function detect(tensors: ReadonlyMap<string, TensorSpec>, model: Model, where: string): Match {
  const matches = FORMATS.flatMap((format) => matchOf(format, tensors, where) ?? []);
  const known = matches.filter(({ format }) => isOf(format, model.config));
  const candidates = known.length > 0 ? known : matches.filter(({ format }) => !isFused(format));
  const fits = candidates.find((match) => firstShapesFit(match, tensors, model.shape));
  return fits ?? candidates[0] ?? fail(refusal(tensors, model, where));
}

function firstShapesFit(
  { format, prefix }: Match,
  tensors: ReadonlyMap<string, TensorSpec>,
  shape: ModelShape,
): boolean {
  return format.modules[0]!.parts.every((part) => {
    const tensor = tensors.get(prefix + inLayer(part.name, 0));
    return part.optional || (tensor !== undefined && shapeError(part, tensor, shape) === undefined);
  });
}

/** Begins parts of the names of models of other inputs, which stand beside the text model with head counts of their own. */
export const OTHER_INPUT = /(^|[._])(vision|visual|vit|image|img|audio|speech)/i;

/** The prefix under which a layer has the tensors that the format must have. */
export function matchOf(
  format: CheckpointFormat,
  tensors: ReadonlyMap<string, TensorSpec>,
  where: string,
): Match | undefined {
  const required = format.modules.flatMap(({ parts }) => parts.filter(({ optional }) => !optional));
  const [first] = required;
  const pattern = new RegExp(`^(.*?)${escape(first!.name).replace(escape(MODULE), '(\\d+)')}$`);
  // One tensor that is missing is an error to report, not another format; but a prefix that has all comes first (beside
  // a text model, a vision model may have projections of the same names).
  const [whole, partly] = [new Set<string>(), new Set<string>()];
  for (const name of tensors.keys()) {
    const [, prefix, layer] = pattern.exec(name) ?? [];
    if (prefix === undefined || (prefix !== '' && !prefix.endsWith('.'))) continue;
    const there = required.filter((part) => tensors.has(prefix + inLayer(part.name, Number(layer))));
    if (there.length === required.length) whole.add(prefix);
    else if (there.length >= 2) partly.add(prefix);
  }
  const all = [...(whole.size > 0 ? whole : partly)];
  const ofText = all.filter((prefix) => !OTHER_INPUT.test(prefix));
  const prefixes = ofText.length > 0 ? ofText : all;
  if (prefixes.length > 1) {
    const found = prefixes.map(quote).join(', ');
    fail(`${where}: several models in one checkpoint, their tensors under ${found}; say which with --map`);
  }
  const [prefix] = prefixes;
  return prefix === undefined ? undefined : { format, prefix };
}

/** Text as a pattern that matches it. */
export function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** The name of a layer's tensor. */
export function inLayer(name: string, layer: number): string {
  return name.replace(MODULE, String(layer));
}

/** What to do about names that no format has, or that several have and the config does not tell which. */
function refusal(tensors: ReadonlyMap<string, TensorSpec>, { shape, config }: Model, where: string): string {
  const modelType = config['model_type'];
  const type =
    typeof modelType === 'string' ? `model_type ${quote(modelType)}` : 'config.json has no model_type';
  const hint = mapHint(tensors, shape);
  if (hint !== undefined) {
    return `${where}: the order of the heads inside a fused projection is not known (${type}); ${hint}`;
  }
  const some = [...tensors.keys()].slice(0, 5).map(quote).join(', ');
  const known = [...new Set(FORMATS.map(({ name }) => name))].join(', ');
  return `${where}: the tensors have the names of no known family (${known}); ${type}, tensors ${some} ...; describe them with --map`;
}

/** What is wrong with a tensor's shape by the config, or undefined. */
export function shapeError(spec: PartSpec, tensor: TensorSpec, shape: ModelShape): string | undefined {
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
