// format.ts: the usual parts of checkpoint formats: projections, Llama's names, how positions enter, what loaders read.
import type { Fields } from '../configFields.ts';
import { MODULE, type CheckpointFormat } from './family.ts';
import type { HeadCounts, SlotOrder } from './headSlots.ts';
import type { ModuleSpec, PartSpec } from './moduleSpec.ts';

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
export const LLAMA_PARTS = ['q_proj', 'k_proj', 'v_proj', 'o_proj'] as const;

/** Scores by the square root of the head dim, or of the number that the config gives instead. */
function usualScale(config: Fields, headDim: number): number {
  return 1 / Math.sqrt(ropeNumber(config, 'query_pre_attn_scalar') ?? headDim);
}

const PLAIN = {
  rotaryShare: () => 1,
  usualTheta: 10_000,
  scale: usualScale,
  plainQkNorm: false,
  normsCountFromOne: false,
} as const;
export const ROTARY = { ...PLAIN, pairing: 'half' } as const;
export const NO_ROTARY = { ...PLAIN, pairing: 'none' } as const;
/** Positions that are not known, or not the same in all models. */
export const ANY_POSITIONS = { ...PLAIN, pairing: undefined } as const;

const always = () => true;
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
  const inner = typeof nested === 'object' && nested !== null ? (nested as Fields) : {};
  return [config, inner]
    .flatMap((fields) => names.map((name) => fields[name]))
    .find((value): value is number => typeof value === 'number');
}

/** Llama's format for the types of another family that took it. */
export function llamaFormat(...modelTypes: readonly string[]): CheckpointFormat {
  return {
    name: 'llama',
    modelTypes,
    modules: [
      selfAttention(LLAMA, {
        parts: separate(LLAMA, LLAMA_PARTS),
        unchanged: ['o_proj.bias', 'rotary_emb.inv_freq'],
        norms: { q: 'q_norm.weight', k: 'k_norm.weight' },
      }),
    ],
    ...IN_CONFIG,
    ...ROTARY,
  };
}

/** Loaders that know `multi_query` and nothing between. */
export function oneOrAll({ numQHeads, numKvHeads }: HeadCounts): boolean {
  return numKvHeads === 1 || numKvHeads === numQHeads;
}

/** The layers of GPT-2, GPT-NeoX and BLOOM, whose names others took. */
export const GPT2 = `h.${MODULE}.attn`;
export const NEOX = `layers.${MODULE}.attention`;
export const BLOOM = `h.${MODULE}.self_attention`;
/** The fused projection and the output of GPT-NeoX, and what stands beside them. */
export const NEOX_PARTS = ['query_key_value', 'dense'] as const;
export const NEOX_UNCHANGED = ['dense.bias', 'bias', 'masked_bias', 'rotary_emb.inv_freq'];
