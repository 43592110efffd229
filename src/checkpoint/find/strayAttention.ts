// strayAttention.ts: tensors that look like attention but are not of the modules that are converted: refused, or named.
import type { AttentionModule } from '../heads/attentionModule.ts';
import { fail, list, quote } from '../format/checkpointError.ts';
import { escape, inLayer, type ModelTensors, OTHER_INPUT } from './detect.ts';
import { MODULE, type CheckpointFormat } from '../../models/families/family.ts';

/** Ends of the names of key, value and fused projections, in any family. */
const PROJECTION =
  /(^|[._])((to_)?[kv](_proj|_lin)?|w[kv]|c_[kv]|keys?|values?|kv(_proj)?|key_value|w?qkv(_proj)?|query_key_value|c_attn|w_?pack|in_proj)[._](weight|bias)$/i;

/** Parts of the names of models beside the text model. Attention to an encoder is none. */
const OTHER_MODEL = /(^|[._])(encoder(?!_?att)|perceiver|resampler|aligner)/i;

/**
 * Names of the attention projections that stay as they are: of an encoder, of a vision model. One of the shape of those
 * that are converted, which would keep its heads under a config that says otherwise, is a CheckpointError; so is a tensor
 * of a converted module that nobody knows.
 */
export function otherAttention(
  format: CheckpointFormat,
  modules: readonly AttentionModule[],
  model: ModelTensors,
): string[] {
  const known = knownNames(format, modules, model);
  refuseUnknown(format, known, model);
  const converted = modules
    .flatMap(({ parts }) => parts)
    .filter(({ order, kind }) => order !== 'q' && order !== 'o' && kind !== 'table');
  const endings = new Set(converted.map(({ tensor }) => ending(tensor.name)));
  const shapes = new Set(converted.map(({ tensor }) => tensor.shape.join()));
  const others = [...model.tensors.values()].filter(
    ({ name }) => !known.has(name) && (PROJECTION.test(name) || endings.has(ending(name))),
  );
  const ofOther = (name: string) => OTHER_INPUT.test(name) || OTHER_MODEL.test(name);
  const left = others.find(({ name, shape }) => shapes.has(shape.join()) && !ofOther(name));
  if (left) {
    fail(
      `${model.where}: tensor ${quote(left.name)} ${list(left.shape)} has the name and the shape of a key or value projection, but is of none of the ${model.shape.layers} layers: it would keep its heads under a config that says otherwise`,
    );
  }
  return others.map(({ name }) => name);
}

/** The last word of a name before `.weight` or `.bias`, and that. */
function ending(name: string): string {
  return name.split('.').slice(-2).join('.');
}

function knownNames(
  format: CheckpointFormat,
  modules: readonly AttentionModule[],
  { prefix }: ModelTensors,
): ReadonlySet<string> {
  return new Set(
    modules.flatMap(({ parts, norms, layer }) => [
      ...parts.map(({ tensor }) => tensor.name),
      ...(norms ? [norms.q, norms.k] : []),
      ...format.modules.flatMap(({ unchanged }) => unchanged.map((name) => prefix + inLayer(name, layer))),
    ]),
  );
}

/** A tensor of an attention module that nobody knows could hold heads: it is refused, not copied. */
function refuseUnknown(
  format: CheckpointFormat,
  known: ReadonlySet<string>,
  { tensors, shape, prefix, where }: ModelTensors,
): void {
  // What stands under a weight's own name belongs to it; under the module's folder, to the module.
  const begins = format.modules.flatMap(({ folder, parts }) =>
    folder === undefined ? parts.map(({ name }) => name.replace(/(\.weight|\.bias)?$/, '.')) : [folder],
  );
  const patterns = begins.map(
    (begin) => new RegExp(`^${escape(prefix + begin).replace(escape(MODULE), '(\\d+)')}`),
  );
  for (const name of tensors.keys()) {
    if (known.has(name)) continue;
    const layer = patterns.map((pattern) => pattern.exec(name)?.[1]).find((found) => found !== undefined);
    if (layer === undefined) continue;
    const why =
      Number(layer) >= shape.layers
        ? `config.json has ${shape.layers} layers, this is of layer ${layer}`
        : `not a known tensor of ${format.name} attention, and it may depend on the number of heads`;
    fail(`${where}: tensor ${quote(name)} is one too many: ${why}`);
  }
}
