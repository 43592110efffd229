// rope.ts: how a config.json says that q and k are turned, and how far.
import { isRecord } from '../../device/options.ts';
import type { Fields } from '../../models/configFields.ts';
import { ropeNumber } from '../../models/families/format.ts';
import type { RopeFormat, RopeScaling } from '../../numbers/rope.ts';
import { describe, fail } from '../format/checkpointError.ts';

/** Names of the two kinds of layers, where each has turns of its own. */
export type RopeLayers = 'full_attention' | 'sliding_attention';

type RopeOfConfig = Required<Pick<RopeFormat, 'base'>> & Pick<RopeFormat, 'scaling'>;

/** The base and scaling that a config gives, for layers of a kind. `where` is the file. */
export function ropeOfConfig(
  config: Fields,
  kind: RopeLayers,
  usualBase: number,
  where: string,
): RopeOfConfig {
  const own = ownParameters(config, kind);
  const base =
    numberIn(own, 'rope_theta') ?? ropeNumber(config, 'rope_theta', 'rotary_emb_base') ?? usualBase;
  const given = own ?? config['rope_scaling'];
  if (given === undefined || given === null) return { base };
  if (!isRecord(given)) fail(`${where}: rope_scaling: expected an object, got ${describe(given)}`);
  const scaling = scalingOf(given, config, where);
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

function scalingOf(given: Fields, config: Fields, where: string): RopeScaling | undefined {
  const type = given['rope_type'] ?? given['type'] ?? 'default';
  const required = (name: string): number => {
    const value = given[name];
    if (typeof value === 'number') return value;
    return fail(`${where}: rope_scaling: ${name}: expected a number, got ${describe(value)}`);
  };
  const originalContext = () =>
    numberIn(given, 'original_max_position_embeddings') ??
    numberIn(config, 'original_max_position_embeddings') ??
    numberIn(config, 'max_position_embeddings') ??
    fail(`${where}: rope_scaling: expected original_max_position_embeddings`);
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
  if (type !== 'yarn')
    return fail(
      `${where}: rope_scaling of type ${describe(type)} is not known: expected default, linear, llama3 or yarn`,
    );
  for (const name of ['mscale', 'mscale_all_dim']) {
    if (given[name] !== undefined && given[name] !== null)
      fail(`${where}: rope_scaling: ${name} is not known`);
  }
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
