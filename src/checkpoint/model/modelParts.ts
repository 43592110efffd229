// modelParts.ts: a model folder's parts, wherever its files are, as the model that they are.
import type { ModelSpec, TensorReader } from '../../models/decoder/spec.ts';
import { asFields, isGiven } from '../../models/configFields.ts';
import { parseConfigJson } from '../../models/configJson.ts';
import type { TensorSpec } from '../format/safetensors.ts';
import { describeModel, eosOf } from './describeModel.ts';

/** Config and tensors of a model folder. */
export interface ModelParts {
  /** The folder, for messages. */
  readonly path: string;
  readonly configText: string;
  readonly config: unknown;
  /** All tensors by name. */
  readonly tensors: ReadonlyMap<string, TensorSpec>;
  /** The text of generation_config.json, where there is one. */
  readonly generationText: string | undefined;
  /** A tensor's bytes, in memory of their own. */
  readonly read: (name: string) => Promise<Uint8Array>;
}

/** What a model computes, and its tensors to read. */
export interface DescribedModel {
  readonly spec: ModelSpec;
  readonly reader: TensorReader;
}

/** The model that the parts are. Throws as `describeModel`. */
export function describedParts(parts: ModelParts): DescribedModel {
  const { path, tensors, config, read } = parts;
  const spec = withEos(describeModel(tensors, config, path), parts);
  return { spec, reader: { tensor: (name) => tensors.get(name), read } };
}

/** With the tokens that end a text by generation_config.json, which goes before config.json. */
export function withEos(spec: ModelSpec, { path, generationText }: ModelParts): ModelSpec {
  if (generationText === undefined) return spec;
  const where = `${path}/${GENERATION_CONFIG}`;
  const fields = asFields(parseConfigJson(generationText, where), where);
  return isGiven(fields['eos_token_id']) ? { ...spec, eos: eosOf(fields) } : spec;
}

/** Its name in a model folder. */
export const GENERATION_CONFIG = 'generation_config.json';
