// describeAttention.ts: a layer's attention: heads, window, scale, turns, and where its projections are.
import type { AttentionSpec, ProjectionSpec, RelativeBiasSpec } from '../../models/decoder/spec.ts';
import { ropeNumber } from '../../models/families/format.ts';
import { slotsOf, type Role } from '../../models/families/headSlots.ts';
import { describe, fail, list, quote } from '../format/checkpointError.ts';
import type { AttentionModule, Part } from '../heads/attentionModule.ts';
import { ropeOfConfig } from './rope.ts';
import { epsOf, missing, projection, type Source } from './source.ts';

/** The attention of a module. */
export function attentionOf(source: Source, module: AttentionModule): AttentionSpec {
  const { attention, config, layers, format, file } = source;
  const { numQHeads, numKvHeads, headDim } = attention;
  const { layer } = module;
  const window = module.kind === 'self' && !source.isEncoder ? layers[layer]!.window : undefined;
  const softcap = ropeNumber(config, 'attn_logit_softcapping');
  const rope = (format.isRotary?.(file, layer) ?? true) ? ropeOf(source, window !== undefined) : undefined;
  const scale = attention.format.scale(config, headDim) * (format.layerScale?.(config, layer, headDim) ?? 1);
  return {
    numQHeads,
    numKvHeads,
    headDim,
    scale,
    ...(window !== undefined && { window }),
    ...(softcap !== undefined && { softcap }),
    ...(module.kind === 'self' && relativeBiasOf(source)),
    ...(rope && { rope }),
    turnsBack: format.turnsBack ?? false,
    ...qkNormOf(source, module),
    q: headsOf(source, module, 'q'),
    k: headsOf(source, module, 'k'),
    v: headsOf(source, module, 'v'),
    o: headsOf(source, module, 'o'),
  };
}

function qkNormOf(source: Source, { name, norms }: AttentionModule): Pick<AttentionSpec, 'qkNorm'> {
  const { attention, format, has } = source;
  if (!has.qkNorm && !attention.format.plainQkNorm) return {};
  if (has.qkNorm && !norms) missing(source, `${name}.q_norm.weight`);
  for (const norm of norms ? [norms.q, norms.k] : []) source.used.add(norm);
  return {
    qkNorm: { ...norms, fromOne: norms !== undefined && format.norm.fromOne === true, eps: epsOf(source) },
  };
}

/** The table of biases by distance: that of the first layer, which all share. */
function relativeBiasOf(source: Source): { relativeBias?: RelativeBiasSpec } {
  const { format, attention, config, where, isEncoder, used } = source;
  if (!format.relativeBias) return {};
  const first = attention.modules.find(({ kind }) => kind === 'self')!;
  const table = first.parts.find(({ kind, order }) => kind === 'table' && order === 'q');
  if (!table) return fail(`${where}: ${first.name}: no tensor has its biases by distance`);
  const { name, shape } = table.tensor;
  const buckets = shape[0]!;
  const given = config['relative_attention_num_buckets'];
  if (buckets < 4 || (given !== undefined && given !== buckets)) {
    fail(
      `${where}: tensor ${quote(name)}: expected a row for each of relative_attention_num_buckets (${describe(given)}), at least 4, got ${list(shape)}`,
    );
  }
  const { maxDistance: fieldName, usual } = format.relativeBias;
  const maxDistance = config[fieldName] ?? usual;
  if (
    !Number.isSafeInteger(maxDistance) ||
    (maxDistance as number) <= buckets / 2 ||
    (maxDistance as number) > 65535
  ) {
    fail(
      `${where}/config.json: ${fieldName}: expected a whole number above half of the ${buckets} buckets, at most 65535, got ${describe(maxDistance)}`,
    );
  }
  used.add(name);
  return {
    relativeBias: { tensor: name, buckets, maxDistance: maxDistance as number, bothWays: isEncoder },
  };
}

function ropeOf(source: Source, isLocal: boolean): AttentionSpec['rope'] {
  const { attention, config, format, where } = source;
  const { pairing = 'half', rotaryShare, usualTheta } = attention.format;
  if (pairing === 'none') return undefined;
  const share = rotaryShare(config);
  const rotaryDim = Math.floor(attention.headDim * share);
  const turns = ropeOfConfig(config, `${where}/config.json`, {
    type: source.file.modelType,
    share,
    pairs: rotaryDim / 2,
    thetaField: format.thetaField ?? 'rope_theta',
    usualTheta: format.usualTheta ?? usualTheta,
    ...(format.localTheta && { kind: isLocal ? 'sliding_attention' : 'full_attention' }),
    ...(isLocal && format.localTheta && { localTheta: format.localTheta(config) }),
  });
  return { rotaryDim, style: pairing, ...turns };
}

/** Where the heads of a role are in the tensors of a module. */
function headsOf(source: Source, module: AttentionModule, role: Role): ProjectionSpec {
  const { attention, where } = source;
  const { numQHeads, numKvHeads, headDim } = attention;
  const has = (part: Part) => slotsOf(part.order, attention).some((slot) => slot.role === role);
  const weight = module.parts.find((part) => part.kind === 'weight' && has(part));
  if (!weight) fail(`${where}: ${module.name}: no tensor has its ${role} heads`);
  const { name } = weight.tensor;
  source.used.add(name);
  if (role === 'o') {
    // Its heads are its inputs: [hidden, heads], or transposed.
    const { hiddenSize } = attention.shape;
    return projection(source, name, weight.axis === 0, hiddenSize, (row) => row, source.has.oBias);
  }
  const slots = slotsOf(weight.order, attention);
  const places = Array.from({ length: role === 'q' ? numQHeads : numKvHeads }, (_, head) =>
    slots.findIndex((slot) => slot.role === role && slot.head === head),
  );
  const rowOf = (output: number) => places[Math.floor(output / headDim)]! * headDim + (output % headDim);
  return projection(source, name, weight.axis === 1, places.length * headDim, rowOf, source.has.qkvBias);
}
