// rope.ts: how a config.json says that q and k are turned, and how far.
import { isRecord } from '../../device/options.ts';
import type { Fields } from '../../models/configFields.ts';
import { ropeNumber } from '../../models/families/format.ts';
import { checkFactors, type RopeFormat, type RopeScaling } from '../../numbers/rope.ts';
import { describe, fail } from '../format/checkpointError.ts';

/** Names of the two kinds of layers, where each has turns of its own. */
export type RopeLayers = 'full_attention' | 'sliding_attention';

type RopeOfConfig = Required<Pick<RopeFormat, 'base'>> & Pick<RopeFormat, 'scaling'>;

/** The base and scaling that a config gives, for layers of a kind that turn so many pairs. `where` is the file. */
export function ropeOfConfig(
  config: Fields,
  kind: RopeLayers,
  usualBase: number,
  pairs: number,
  where: string,
): RopeOfConfig {
  const own = ownParameters(config, kind);
  const base =
    numberIn(own, 'rope_theta') ?? ropeNumber(config, 'rope_theta', 'rotary_emb_base') ?? usualBase;
  const given = own ?? config['rope_scaling'];
  if (given === undefined || given === null) return { base };
  if (!isRecord(given)) fail(`${where}: rope_scaling: expected an object, got ${describe(given)}`);
  const scaling = scalingOf(given, config, pairs, where);
  return { base, ...(scaling && { scaling }) };
}

/** Whether each kind of layers has parameters of its own. */
export function hasRopePerKind(config: Fields): boolean {
  const all = config['rope_parameters'];
  return isRecord(all) && (isRecord(all['full_attention']) || isRecord(all['sliding_attention']));
}

function ownParameters(config: Fields, kind: RopeLayers): Fields | undefined {
  const all = config['rope_parameters'];
  if (!isRecord(all)) return undefined;
  const own = all[kind];
  if (isRecord(own)) return own;
  return hasRopePerKind(config) ? {} : all;
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
  const originalContext = () =>
    numberIn(given, ORIGINAL) ??
    numberIn(config, ORIGINAL) ??
    numberIn(config, 'max_position_embeddings') ??
    fail(`${where}: rope_scaling: expected ${ORIGINAL}`);
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
