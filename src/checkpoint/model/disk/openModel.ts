// openModel.ts: a model folder on disk as a whole model, as it is or with other KV heads: its description, and its tensors to read. In Node.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asFields, isGiven } from '../../../models/configFields.ts';
import type { ModelSpec, TensorReader } from '../../../models/decoder/spec.ts';
import { ModelSource } from '../../../models/decoder/modelSource.ts';
import { parseConfigJson } from '../../../models/configJson.ts';
import { updateConfig } from '../../convert/configUpdate.ts';
import { openModelFolder, type ModelFolder } from '../../convert/disk/modelFolder.ts';
import { ModelReader } from '../../convert/disk/modelReader.ts';
import { createMapper } from '../../convert/mapper.ts';
import { GROUPINGS, METHODS, planConversion, type ConversionOptions } from '../../convert/plan.ts';
import { HEAD_MAPS } from '../../heads/heads.ts';
import {
  checkBoolean,
  checkOneOf,
  checkOptions,
  checkString,
  checkWhole,
  type Known,
} from '../../../device/options.ts';
import { SHAPE_LIMITS } from '../../../models/limits.ts';
import { findAttention } from '../../find/findAttention.ts';
import { mixTensor } from '../../heads/headMix.ts';
import { describeModel, eosOf } from '../describeModel.ts';

/**
 * Opens a folder with config.json and safetensors files. With `heads` its KV heads are merged or repeated while tensors are
 * read, as `convertFolder` does: same plan, same values, nothing written. Throws a CheckpointError or ShapeError for what is no
 * model that is known as a whole, and for heads that it cannot have.
 * @param path of the folder
 */
export async function openModel(path: string, heads?: ConversionOptions): Promise<ModelSource> {
  checkString('openModel: path', path);
  if (heads !== undefined) checkHeads(heads);
  const folder = await openModelFolder(path);
  const reader = new ModelReader(folder);
  const { spec, ...tensors } =
    heads === undefined ? asItIs(folder, reader) : converted(folder, reader, heads);
  const eos = await readEos(folder);
  return new ModelSource(path, eos === undefined ? spec : { ...spec, eos }, tensors, () => reader.close());
}

const HEADS = {
  kvHeads: true,
  method: true,
  grouping: true,
  headMap: true,
  renorm: true,
  seed: true,
} satisfies Known<ConversionOptions>;

function checkHeads(heads: ConversionOptions): void {
  const where = 'openModel: heads';
  checkOptions(where, heads, HEADS);
  checkWhole(`${where}: kvHeads`, heads.kvHeads, 1, SHAPE_LIMITS.heads);
  checkOneOf(`${where}: method`, heads.method, METHODS);
  checkOneOf(`${where}: grouping`, heads.grouping, GROUPINGS);
  checkOneOf(`${where}: headMap`, heads.headMap, HEAD_MAPS);
  checkBoolean(`${where}: renorm`, heads.renorm);
  checkWhole(`${where}: seed`, heads.seed, 0, 2 ** 32 - 1);
}

type Described = TensorReader & { readonly spec: ModelSpec };

/** The tokens that end a text by generation_config.json, which goes before config.json. */
async function readEos({ path, others }: ModelFolder): Promise<number[] | undefined> {
  const name = 'generation_config.json';
  if (!others.some((file) => file.name === name)) return undefined;
  const where = join(path, name);
  const fields = asFields(parseConfigJson(await readFile(where, 'utf8'), where), where);
  return isGiven(fields['eos_token_id']) ? eosOf(fields) : undefined;
}

function asItIs(folder: ModelFolder, reader: ModelReader): Described {
  const { path, tensors, config } = folder;
  return {
    spec: describeModel(tensors, config, path),
    tensor: (name) => tensors.get(name),
    read: (name) => reader.read(name),
  };
}

function converted(folder: ModelFolder, reader: ModelReader, heads: ConversionOptions): Described {
  const { path, tensors, config, configText } = folder;
  // What cannot be decoded is refused for what it is, not for what it would become.
  describeModel(tensors, config, path);
  const attention = findAttention(tensors, config, path);
  const plan = planConversion(attention, tensors, heads, path);
  const sources = {
    read: (name: string) => reader.read(name),
    readFloats: (name: string) => reader.readFloats(name),
    inputsOf: () => Promise.resolve(undefined),
  };
  const mapsOf = createMapper(plan, sources);
  const specs = new Map(
    [...plan.tensors].map(([name, { tensor, to }]) => [name, { ...tensor, shape: to }] as const),
  );
  const isSame = heads.kvHeads === attention.numKvHeads;
  const text = isSame ? configText : updateConfig(configText, plan, path);
  return {
    spec: describeModel(specs, parseConfigJson(text, `${path}/config.json`), path),
    tensor: (name) => specs.get(name),
    read: async (name) => {
      const bytes = await reader.read(name);
      const rewrite = plan.tensors.get(name)?.rewrite;
      if (!rewrite) return bytes;
      const { regrouping, maps } = await mapsOf(rewrite.module);
      return mixTensor(rewrite.part, bytes, regrouping, maps);
    },
  };
}
