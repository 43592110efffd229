// mapper.ts: the head maps of each attention module, computed from the weights where the method asks for that.
import type { AttentionModule } from '../heads/attentionModule.ts';
import { plainMaps, type HeadMaps, type PlainMethod } from '../heads/headMix.ts';
import { neighbours, regroup, regroupAs, type Regrouping } from '../heads/heads.ts';
import {
  readMoments,
  readQkNorm,
  type Inputs,
  type LayerSource,
  type ReadTensor,
} from '../heads/layerData.ts';
import { alignedTransforms } from '../heads/methods/aligned.ts';
import { similarGroups, similarities } from '../heads/methods/grouping.ts';
import { keyBasis, type KeyBasis } from '../heads/methods/keyBasis.ts';
import { momentsOf, type Moments } from '../heads/methods/moments.ts';
import { pcaTransforms } from '../heads/methods/pca.ts';
import {
  firstTransforms,
  meanTransforms,
  transformMaps,
  type HeadTransform,
} from '../heads/methods/transform.ts';
import { hasSharedTable, looksAtWeights, type ConversionPlan } from './plan.ts';

/** What is done to the heads of one module. */
export interface ModuleMaps {
  readonly regrouping: Regrouping;
  readonly maps: HeadMaps;
}

/** Where weights and calibration tokens come from. */
export interface MapperSources {
  readonly read: ReadTensor;
  readonly readFloats: (name: string) => Promise<ArrayLike<number>>;
  readonly inputsOf: (module: AttentionModule) => Promise<Inputs | undefined>;
}

/** The head maps of a module, for a plan. The last module's are kept: its tensors come one after the other. */
export function createMapper(
  plan: ConversionPlan,
  sources: MapperSources,
): (module: AttentionModule) => Promise<ModuleMaps> {
  let last: { readonly module: AttentionModule; readonly maps: Promise<ModuleMaps> } | undefined;
  return (module) => {
    if (last?.module !== module) last = { module, maps: mapsOf(plan, module, sources) };
    return last.maps;
  };
}

async function mapsOf(
  plan: ConversionPlan,
  module: AttentionModule,
  sources: MapperSources,
): Promise<ModuleMaps> {
  const { options, attention, turnsHeads } = plan;
  const plain = regroup(attention, options.kvHeads, options.headMap);
  const reduces = options.kvHeads < attention.numKvHeads;
  if (!reduces || !looksAtWeights(options)) {
    return {
      regrouping: plain,
      maps: plainMaps(reduces ? plainMethod(options.method) : 'mean', plain, options.seed),
    };
  }
  const { regrouping, groups, basis } = await studyModule(plan, module, sources);
  if (!turnsHeads)
    return { regrouping, maps: plainMaps(plainMethod(options.method), regrouping, options.seed) };
  const transforms = new Map<number, HeadTransform>();
  for (const moments of groups) {
    const found = transformsOf(plan, moments, basis);
    moments.heads.forEach((head, i) => transforms.set(head, found[i]!));
  }
  return { regrouping, maps: transformMaps(regrouping, transforms, attention.headDim) };
}

function plainMethod(method: ConversionPlan['options']['method']): PlainMethod {
  return method === 'first' || method === 'random' ? method : 'mean';
}

/** A module's groups with their moments, grouped as the plan says. */
export interface ModuleStudy {
  readonly regrouping: Regrouping;
  readonly groups: readonly Moments[];
  readonly basis: KeyBasis;
}

/** Reads what the aligning methods and the report need of a module. */
export async function studyModule(
  plan: ConversionPlan,
  module: AttentionModule,
  sources: MapperSources,
): Promise<ModuleStudy> {
  const { options, attention } = plan;
  const plain = regroup(attention, options.kvHeads, options.headMap);
  const positions = attention.positions ?? { pairing: 'none', rotaryDims: 0 };
  const norm = await readQkNorm(module, attention.format.plainQkNorm, sources.readFloats);
  const basis = keyBasis(attention.headDim, module.kind === 'cross' ? NO_POSITIONS : positions, norm);
  const source: LayerSource = {
    module,
    counts: attention,
    headDim: attention.headDim,
    kvHeadOf: plain.kvHeadOf,
    read: sources.read,
    inputs: await sources.inputsOf(module),
  };
  if (options.grouping === 'neighbours' || (module.kind === 'self' && hasSharedTable(attention))) {
    const groups = await readMoments(source, neighbours(attention.numKvHeads, options.kvHeads));
    return { regrouping: plain, groups, basis };
  }
  const [whole] = await readMoments(source, [Array.from({ length: attention.numKvHeads }, (_, s) => s)]);
  const members = similarGroups(similarities(whole!, plan.turnsHeads ? basis : undefined), options.kvHeads);
  return {
    regrouping: regroupAs(attention, members, options.headMap),
    groups: members.map((heads) => momentsOf(whole!, heads)),
    basis,
  };
}

const NO_POSITIONS = { pairing: 'none', rotaryDims: 0 } as const;

/** What the plan's method does to the heads of a group. */
export function transformsOf(
  { options }: Pick<ConversionPlan, 'options'>,
  moments: Moments,
  basis: KeyBasis,
): HeadTransform[] {
  const g = moments.heads.length;
  switch (options.method) {
    case 'aligned':
      return alignedTransforms(moments, basis, options);
    case 'pca':
      return pcaTransforms(moments, basis);
    case 'first':
      return firstTransforms(g, moments.headDim);
    default:
      return meanTransforms(g, moments.headDim);
  }
}
