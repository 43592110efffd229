// rope.ts: how a config.json says that q and k are turned, and how far.
import { isRecord } from '../../device/options.ts';
import type { Fields } from '../../models/configFields.ts';
import { ropeNumber } from '../../models/families/format.ts';
import { checkFactors, type RopeFormat, type RopeScaling } from '../../numbers/rope.ts';
import { describe, fail, quote } from '../format/checkpointError.ts';

/** Names of the two kinds of layers, where each has turns of its own. */
export type RopeLayers = 'full_attention' | 'sliding_attention';

/** What is known of a layer's turns beside the config. */
export interface LayerRope {
  /** The model's type, for messages. */
  readonly type: string;
  /** Part of a head that is turned, and pairs of that. */
  readonly share: number;
  readonly pairs: number;
  /** Field of the base, and what it is where the config gives none. */
  readonly thetaField: string;
  readonly usualTheta: number;
  /** The layer's kind, in a family that turns its kinds of layers differently. */
  readonly kind?: RopeLayers;
  /** Base of a layer with a window, which has no scaling but that of its kind. */
  readonly localTheta?: number;
}

type RopeOfConfig = Required<Pick<RopeFormat, 'base'>> & Pick<RopeFormat, 'scaling'>;

/** The base and scaling that a config gives for a layer. `where` is the file. */
export function ropeOfConfig(config: Fields, where: string, layer: LayerRope): RopeOfConfig {
  const turns = turnsOf(config, where, layer);
  const names = ['rope_parameters', 'rope_scaling'];
  if (names.some((name) => objectIn(config, name, where) === undefined)) return turns;
  for (const name of names) {
    const other = turnsOf({ ...config, [name]: null }, where, layer);
    if (JSON.stringify(other) === JSON.stringify(turns)) continue;
    fail(`${where}: rope_parameters and rope_scaling contradict each other: expected one of them`);
  }
  return turns;
}

function turnsOf(config: Fields, where: string, layer: LayerRope): RopeOfConfig {
  const { localTheta, usualTheta, thetaField, pairs } = layer;
  const all = objectIn(config, 'rope_parameters', where);
  const scaling = localTheta === undefined ? objectIn(config, 'rope_scaling', where) : undefined;
  const given = all ? ofKind(all, where, layer) : scaling;
  checkShare(config, given, where, layer);
  const own = numberIn(given, 'rope_theta');
  const base = own ?? localTheta ?? numberIn(config, thetaField) ?? usualTheta;
  if (localTheta === undefined && !(all && own !== undefined)) checkThetas(config, base, where, layer);
  const scaled = given && scalingOf(given, config, pairs, where);
  return { base, ...(scaled && { scaling: scaled }) };
}

/** An object with fields, if there is one. */
function objectIn(config: Fields, name: string, where: string): Fields | undefined {
  const value = config[name];
  if (value === undefined || value === null) return undefined;
  if (!isRecord(value)) return fail(`${where}: ${name}: expected an object, got ${describe(value)}`);
  return Object.keys(value).length === 0 ? undefined : value;
}

/** The parameters of a layer: those of its kind, or of all layers. */
function ofKind(all: Fields, where: string, { kind, type }: LayerRope): Fields {
  const isPerKind = ['full_attention', 'sliding_attention'].some((name) => all[name] !== undefined);
  if (isPerKind !== (kind !== undefined)) {
    const expected = kind ? 'those of full_attention and of sliding_attention' : 'those of all layers';
    fail(
      `${where}: rope_parameters: expected ${expected} in a model of type ${quote(type)}, got ${Object.keys(all).join(', ')}`,
    );
  }
  if (kind === undefined) return all;
  const own = all[kind];
  return isRecord(own) ? own : {};
}

/** A base beside the parameters, or under the name of another family, that is not the one that counts. */
function checkThetas(config: Fields, base: number, where: string, layer: LayerRope): void {
  for (const name of ['rope_theta', 'rotary_emb_base']) {
    const value = numberIn(config, name);
    if (value === undefined || value === base) continue;
    fail(
      `${where}: ${name} of ${value} contradicts the base of ${base} that a model of type ${quote(layer.type)} has by the other fields`,
    );
  }
}

function checkShare(config: Fields, given: Fields | undefined, where: string, layer: LayerRope): void {
  const { share, type } = layer;
  const said = [
    ropeNumber(config, 'partial_rotary_factor', 'rotary_pct'),
    numberIn(given, 'partial_rotary_factor'),
  ].find((value) => value !== undefined && value !== share);
  if (said === undefined) return;
  fail(
    `${where}: partial_rotary_factor of ${said} is not known for a model of type ${quote(type)}: expected ${share}, or none`,
  );
}

function numberIn(fields: Fields | undefined, name: string): number | undefined {
  const value = fields?.[name];
  return typeof value === 'number' ? value : undefined;
}

const ORIGINAL = 'original_max_position_embeddings';

function scalingOf(given: Fields, config: Fields, pairs: number, where: string): RopeScaling | undefined {
  const type = given['rope_type'] ?? given['type'] ?? 'default';
  const required = (name: string): number => {
    const value = given[name];
    if (typeof value === 'number') return value;
    return fail(`${where}: rope_scaling: ${name}: expected a number, got ${describe(value)}`);
  };
  const originalContext = () => originalOf(given, config, where);
  if (type === 'default') return undefined;
  if (type === 'linear') return { type, factor: required('factor') };
  if (type === 'llama3') {
    return {
      type,
      factor: required('factor'),
      lowFreqFactor: required('low_freq_factor'),
      highFreqFactor: required('high_freq_factor'),
      originalContext: originalContext(),
    };
  }
  if (type === 'longrope' || type === 'su') {
    refuse(given, ['short_mscale', 'long_mscale'], where);
    return longRope(given, config, originalContext(), pairs, where);
  }
  if (type !== 'yarn')
    return fail(
      `${where}: rope_scaling of type ${describe(type)} is not known: expected default, linear, llama3, yarn or longrope`,
    );
  refuse(given, ['mscale', 'mscale_all_dim', 'short_factor', 'long_factor'], where);
  const optional = (name: string, to: string) => {
    const value = numberIn(given, name);
    return value === undefined ? {} : { [to]: value };
  };
  return {
    type,
    factor: required('factor'),
    originalContext: originalContext(),
    ...optional('beta_fast', 'betaFast'),
    ...optional('beta_slow', 'betaSlow'),
    ...optional('attention_factor', 'attentionFactor'),
    ...(typeof given['truncate'] === 'boolean' && { truncate: given['truncate'] }),
  };
}

/** Tokens of the first training, which may stand beside the parameters too. */
function originalOf(given: Fields, config: Fields, where: string): number {
  const [own, beside] = [numberIn(given, ORIGINAL), numberIn(config, ORIGINAL)];
  if (own !== undefined && beside !== undefined && own !== beside) {
    fail(`${where}: rope_scaling: ${ORIGINAL}: expected ${beside} like that beside it, got ${own}`);
  }
  return (
    own ??
    beside ??
    numberIn(config, 'max_position_embeddings') ??
    fail(`${where}: rope_scaling: expected ${ORIGINAL}`)
  );
}

function refuse(given: Fields, names: readonly string[], where: string): void {
  for (const name of names) {
    if (given[name] === undefined || given[name] === null) continue;
    fail(`${where}: rope_scaling: ${name} is not known`);
  }
}

/**
 * LongRoPE, which older files call `su`. The context grew from the original one to `max_position_embeddings`; a `factor` that says otherwise is
 * read in two ways by versions of transformers, and refused.
 */
function longRope(
  given: Fields,
  config: Fields,
  originalContext: number,
  pairs: number,
  where: string,
): RopeScaling {
  const [shortFactor, longFactor] = ['short_factor', 'long_factor'].map((name) => {
    const factors: unknown = given[name];
    checkFactors(`${where}: rope_scaling: ${name}`, factors, pairs);
    return factors;
  });
  const most = numberIn(config, 'max_position_embeddings');
  const ratio = most === undefined ? undefined : most / originalContext;
  const said = numberIn(given, 'factor');
  const attentionFactor = numberIn(given, 'attention_factor');
  const isOriginalSaid = [given, config].some((fields) => numberIn(fields, ORIGINAL) !== undefined);
  if (
    said !== undefined &&
    isOriginalSaid &&
    ratio !== undefined &&
    said !== ratio &&
    attentionFactor === undefined
  ) {
    fail(
      `${where}: rope_scaling: factor: expected max_position_embeddings / ${ORIGINAL} (${ratio}) or an attention_factor, got ${said}`,
    );
  }
  return {
    type: 'longrope',
    shortFactor: shortFactor!,
    longFactor: longFactor!,
    factor: said ?? ratio ?? 1,
    originalContext,
    ...(attentionFactor !== undefined && { attentionFactor }),
  };
}
