// report.ts: how much of each head survives a conversion, layer by layer, before anything is written or trained.
import type { Attention } from '../find/findAttention.ts';
import type { AttentionModule } from '../heads/attentionModule.ts';
import { outputErrors, type Merge, type OutputOptions } from './attentionOutput.ts';
import { attentionRule } from '../find/attentionRule.ts';
import { regroup } from '../heads/heads.ts';
import { readQkNorm, type Inputs, type LayerSource, type Tokens } from '../heads/layerData.ts';
import { studyModule, transformsOf, type MapperSources } from './mapper.ts';
import { relativeErrors } from '../heads/methods/moments.ts';
import type { HeadTransform } from '../heads/methods/transform.ts';
import type { ConversionPlan } from './plan.ts';
import { seededNormals, seedOf } from '../../numbers/seeded.ts';
import { t5Bucket } from '../../models/families/t5.ts';

/** What is lost in one module at one number of KV heads. 0 is nothing, 1 as much as leaving it out. */
export interface ModuleReport {
  readonly module: string;
  readonly layer: number;
  readonly kind: AttentionModule['kind'];
  readonly kvHeads: number;
  /** Source KV heads by group. */
  readonly groups: readonly (readonly number[])[];
  /** sqrt(E|k - k'|^2 / E|k|^2) of each source KV head, as its queries see it; likewise of its values. */
  readonly keys: readonly number[];
  readonly values: readonly number[];
  /** |y - y'| / |y| of the module's output y. */
  readonly output: number;
}

/** Tokens that the attention output is computed on, at most: its cost grows with their square. */
const OUTPUT_TOKENS = 256;
/** Tokens of noise that stand in for calibration text. */
const NOISE_TOKENS = 64;

/**
 * What is lost in a module by each of the plans, which differ in the number of KV heads alone. Without calibration tokens
 * keys and values are judged by their weights (white inputs) and the output on seeded white noise.
 */
export async function reportModule(
  plans: readonly ConversionPlan[],
  module: AttentionModule,
  sources: MapperSources,
): Promise<ModuleReport[]> {
  const { attention, options } = plans[0]!;
  const inputs = await sources.inputsOf(module);
  const studies = [];
  for (const plan of plans) {
    const study = await studyModule(plan, module, sources);
    const perGroup = study.groups.map((moments) => transformsOf(plan, moments, study.basis));
    studies.push({ plan, study, perGroup });
  }
  const merges = studies.map(({ study, perGroup }): Merge => {
    const transforms = new Map<number, HeadTransform>();
    study.groups.forEach((moments, i) =>
      moments.heads.forEach((head, s) => transforms.set(head, perGroup[i]![s]!)),
    );
    return { groups: study.groups.map(({ heads }) => heads), transforms };
  });
  const source: LayerSource = {
    module,
    counts: attention,
    headDim: attention.headDim,
    kvHeadOf: regroup(attention, attention.numKvHeads, options.headMap).kvHeadOf,
    read: sources.read,
    inputs,
  };
  const outputs = await outputErrors(source, merges, await outputOptions(attention, module, sources, inputs));
  return studies.map(({ plan, study, perGroup }, i) => {
    const errors = (of: 'k' | 'v') => {
      const byHead: number[] = [];
      study.groups.forEach((moments, group) => {
        const found = relativeErrors(moments, of, perGroup[group]!);
        moments.heads.forEach((head, s) => (byHead[head] = found[s]!));
      });
      return byHead;
    };
    return {
      module: module.name,
      layer: module.layer,
      kind: module.kind,
      kvHeads: plan.options.kvHeads,
      groups: merges[i]!.groups,
      keys: errors('k'),
      values: errors('v'),
      output: outputs[i]!,
    };
  });
}

async function outputOptions(
  attention: Attention,
  module: AttentionModule,
  sources: MapperSources,
  inputs: Inputs | undefined,
): Promise<OutputOptions> {
  return {
    rule: attentionRule(attention, module),
    norm: await readQkNorm(module, attention.format.plainQkNorm, sources.readFloats),
    inputs: inputs
      ? firstTokens(inputs, attention.shape.hiddenSize)
      : noise(attention.shape.hiddenSize, module.name),
    bias: await positionBias(attention, module, sources),
  };
}

/** Some whole sequences or the beginning of the first; of cross-attention the same ones for queries and keys. */
function firstTokens({ q, kv }: Inputs, width: number): Inputs {
  const sequences = Math.max(1, Math.floor(OUTPUT_TOKENS / Math.max(q.length, kv.length)));
  const first = ({ data, length }: Tokens): Tokens => {
    const kept = Math.min(length, OUTPUT_TOKENS);
    return { data: data.subarray(0, sequences * kept * width), length: kept };
  };
  return { q: first(q), kv: first(kv) };
}

function noise(hidden: number, name: string): Inputs {
  const tokens = {
    data: Float32Array.from(seededNormals(seedOf(1, name), NOISE_TOKENS * hidden)),
    length: NOISE_TOKENS,
  };
  return { q: tokens, kv: tokens };
}

/** T5's table of biases by distance: the layer's own (umT5), or the first layer's, which it keeps for all. */
async function positionBias(
  attention: Attention,
  module: AttentionModule,
  { readFloats }: MapperSources,
): Promise<OutputOptions['bias']> {
  const alike = attention.modules.filter(({ kind }) => kind === module.kind);
  const [table] = [module, ...alike].flatMap(({ parts }) =>
    parts.filter(({ kind, order }) => kind === 'table' && order === 'q'),
  );
  if (!table) return () => 0;
  const values = await readFloats(table.tensor.name);
  const buckets = table.view.outer;
  const furthest = attention.config['relative_attention_max_distance'];
  const maxDistance = typeof furthest === 'number' ? furthest : 128;
  return (head, distance) => values[t5Bucket(distance, buckets, maxDistance) * attention.numQHeads + head]!;
}
