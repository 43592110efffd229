// family.ts: what is said of a model family: tensor names, where their heads lie, how positions enter; and the usual parts.
import { isRecord } from '../../device/options.ts';
import type { Fields } from '../configFields.ts';
import type { HeadCounts, SlotOrder } from './headSlots.ts';

/** One tensor of an attention module that holds heads. `{layer}` in the name stands for the layer's number. */
export interface PartSpec {
  readonly name: string;
  readonly order: SlotOrder;
  /** Axis of the tensor that the heads lie along. */
  readonly axis: 0 | 1;
  /** What a head has along that axis: head_dim elements, or one (a table with a number for each head). */
  readonly rows: 'headDim' | 'one';
  /** The other axis: the hidden size, a size of its own, or none (a bias). */
  readonly other: 'hidden' | 'any' | 'none';
  readonly optional: boolean;
}

/** The attention modules of one kind, one in each layer. */
export interface ModuleSpec {
  readonly kind: 'self' | 'cross';
  /** Everything whose name begins so belongs to the module, and must be known. */
  readonly folder: string | undefined;
  readonly parts: readonly PartSpec[];
  /** Tensors of the folder that do not depend on the number of heads. */
  readonly unchanged: readonly string[];
  /** Weights of a norm over each head's query and key, [head_dim]. */
  readonly norms: { readonly q: string; readonly k: string } | undefined;
}

/** How positions reach q and k. Rotary pairs are (i, i + rotaryDims / 2) if `half`, (2i, 2i + 1) if `interleaved`. */
export interface Positions {
  readonly pairing: 'half' | 'interleaved' | 'none';
  /** Leading elements of a head that are rotated; the rest carry no position. */
  readonly rotaryDims: number;
}

export interface Family {
  readonly name: string;
  /** Values of `model_type` that are known to compute attention as this family does; none where it writes none. */
  readonly modelTypes: readonly string[];
  /** What the config must say besides; of a family without model types, what only its configs say. */
  readonly when: (config: Fields) => boolean;
  readonly modules: readonly ModuleSpec[];
  /** The field to add where no field has the number of KV heads. */
  readonly kvHeadsField: string;
  /** True when `multi_query` says whether there is one KV head or one for each query head. */
  readonly hasMultiQueryFlag: boolean;
  /** True when the family's own code reads `head_dim`. */
  readonly readsHeadDim: boolean;
  /** True when the usual loaders of this family can load a model of these heads. */
  readonly loads: (heads: HeadCounts, config: Fields) => boolean;
  /** Undefined where it is not known, or not the same in all models of the family. */
  readonly pairing: Positions['pairing'] | undefined;
  /** Part of a head that is rotated, where it is not all of it. */
  readonly rotaryShare: (config: Fields) => number;
  /** True when q and k are normalised per head without weights. */
  readonly plainQkNorm: boolean;
}

/** True when the config is known to be one of this family. Tensor names are not asked: families share them. */
export function isOf({ modelTypes, when }: Family, config: Fields): boolean {
  const type = config['model_type'];
  const typed = typeof type === 'string' ? modelTypes.includes(type) : modelTypes.length === 0;
  return typed && when(config);
}

/** True when one tensor holds queries, keys and values, in an order that its name does not tell. */
export function isFused({ modules }: Pick<Family, 'modules'>): boolean {
  return modules.some(({ parts }) => parts.some(({ order }) => order === 'qkv' || order === 'grouped'));
}

/** Stands for the layer's number in a name. */
export const MODULE = '{layer}';

function weight(name: string, order: SlotOrder, axis: 0 | 1): PartSpec {
  return { name, order, axis, rows: 'headDim', other: 'hidden', optional: false };
}

function bias(name: string, order: SlotOrder): PartSpec {
  return { name, order, axis: 0, rows: 'headDim', other: 'none', optional: true };
}

/** Separate projections and their biases under a folder, weights [out, in]. */
export function separate(
  folder: string,
  [q, k, v, o]: readonly [string, string, string, string],
): PartSpec[] {
  const kinds = [[q, 'q'] as const, [k, 'k'] as const, [v, 'v'] as const];
  return [
    ...kinds.flatMap(([name, role]) => [
      weight(`${folder}.${name}.weight`, role, 0),
      bias(`${folder}.${name}.bias`, role),
    ]),
    weight(`${folder}.${o}.weight`, 'o', 1),
  ];
}

/** One fused projection and the output projection; `transposed`: weights are [in, out]. */
export function fused(
  folder: string,
  [qkv, o]: readonly [string, string],
  order: 'qkv' | 'grouped',
  transposed: boolean,
): PartSpec[] {
  return [
    weight(`${folder}.${qkv}.weight`, order, transposed ? 1 : 0),
    bias(`${folder}.${qkv}.bias`, order),
    weight(`${folder}.${o}.weight`, 'o', transposed ? 0 : 1),
  ];
}

interface SelfAttention {
  readonly parts: readonly PartSpec[];
  readonly unchanged?: readonly string[];
  readonly norms?: { readonly q: string; readonly k: string };
}

export function selfAttention(folder: string, { parts, unchanged = [], norms }: SelfAttention): ModuleSpec {
  const inFolder = (name: string) => `${folder}.${name}`;
  return {
    kind: 'self',
    folder: `${folder}.`,
    parts,
    unchanged: unchanged.map(inFolder),
    norms: norms && { q: inFolder(norms.q), k: inFolder(norms.k) },
  };
}

/** The layers of Llama and of the many that took its names. */
export const LLAMA = `layers.${MODULE}.self_attn`;

const whole = () => 1;
const always = () => true;
export const ROTARY = { pairing: 'half', rotaryShare: whole, plainQkNorm: false } as const;
export const NO_ROTARY = { pairing: 'none', rotaryShare: whole, plainQkNorm: false } as const;

const COMMON = { when: always, kvHeadsField: 'num_key_value_heads', hasMultiQueryFlag: false } as const;
/** The family's own code reads the number of KV heads. */
export const IN_CONFIG = { ...COMMON, readsHeadDim: true, loads: always } as const;
/** The family's own code knows one KV head for each query head. */
export const NOT_IN_CONFIG = {
  ...COMMON,
  readsHeadDim: false,
  loads: ({ numQHeads, numKvHeads }: HeadCounts) => numQHeads === numKvHeads,
} as const;

/** The first of the numbers under `names` in the config or in its `rope_parameters`. */
export function ropeNumber(config: Fields, ...names: string[]): number | undefined {
  const nested = config['rope_parameters'];
  const inner = isRecord(nested) ? nested : {};
  return [config, inner]
    .flatMap((fields) => names.map((name) => fields[name]))
    .find((value): value is number => typeof value === 'number');
}
