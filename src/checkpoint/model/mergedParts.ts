// mergedParts.ts: a model folder's parts as the model with other KV heads, merged or repeated while tensors are read.
import { parseConfigJson } from '../../models/configJson.ts';
import { updateConfig } from '../convert/configUpdate.ts';
import { createMapper } from '../convert/mapper.ts';
import { planConversion, type ConversionOptions } from '../convert/plan.ts';
import { findAttention } from '../find/findAttention.ts';
import { quote } from '../format/checkpointError.ts';
import { allFloats } from '../format/dtypes.ts';
import { mixTensor } from '../heads/headMix.ts';
import { describeModel } from './describeModel.ts';
import { withEos, type DescribedModel, type ModelParts } from './modelParts.ts';

/**
 * The model that a conversion of the parts would write: same plan, same values. Throws as `describeModel`, and as `planConversion`
 * for heads that it cannot have.
 */
export function mergedParts(parts: ModelParts, heads: ConversionOptions): DescribedModel {
  const { path, tensors, config, configText } = parts;
  // What cannot be decoded is refused for what it is, not for what it would become.
  describeModel(tensors, config, path);
  const attention = findAttention(tensors, config, path);
  const plan = planConversion(attention, tensors, heads, path);
  const mapsOf = createMapper(plan, {
    read: (name) => parts.read(name),
    readFloats: async (name) =>
      allFloats(tensors.get(name)!.dtype, await parts.read(name), `tensor ${quote(name)}`),
    inputsOf: () => Promise.resolve(undefined),
  });
  const specs = new Map(
    [...plan.tensors].map(([name, { tensor, to }]) => [name, { ...tensor, shape: to }] as const),
  );
  const isSame = heads.kvHeads === attention.numKvHeads;
  const text = isSame ? configText : updateConfig(configText, plan, path);
  const spec = describeModel(specs, parseConfigJson(text, `${path}/config.json`), path);
  const read = async (name: string): Promise<Uint8Array> => {
    const bytes = await parts.read(name);
    const rewrite = plan.tensors.get(name)?.rewrite;
    if (!rewrite) return bytes;
    const { regrouping, maps } = await mapsOf(rewrite.module);
    return mixTensor(rewrite.part, bytes, regrouping, maps);
  };
  return { spec: withEos(spec, parts), reader: { tensor: (name) => specs.get(name), read } };
}
