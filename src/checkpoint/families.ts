// families.ts: the model families that can be converted, as data: tensor names, where their heads lie, how positions enter.
import type { Fields } from '../models/configFields.ts';
import type { SlotOrder } from './layout.ts';

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
  /** Values of `model_type` that are known to compute attention as this family does. */
  readonly modelTypes: readonly string[];
  readonly modules: readonly ModuleSpec[];
  readonly kvHeadsField: 'num_key_value_heads' | 'n_kv_head';
  /** True when the usual loaders of this family read a number of KV heads, and so can load the result. */
  readonly loadable: boolean;
  readonly pairing: Positions['pairing'];
  /** Part of a head that is rotated, where it is not all of it. */
  readonly rotaryShare: (config: Fields) => number;
  /** True when q and k are normalised per head without weights. */
  readonly plainQkNorm: boolean;
}

const MODULE = '{layer}';

function weight(name: string, order: SlotOrder, axis: 0 | 1): PartSpec {
  return { name, order, axis, rows: 'headDim', other: 'hidden', optional: false };
}

function bias(name: string, order: SlotOrder): PartSpec {
  return { name, order, axis: 0, rows: 'headDim', other: 'none', optional: true };
}

/** Separate projections and their biases under a folder, weights [out, in]. */
function separate(folder: string, [q, k, v, o]: readonly [string, string, string, string]): PartSpec[] {
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
function fused(
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

function selfAttention(folder: string, { parts, unchanged = [], norms }: SelfAttention): ModuleSpec {
  const inFolder = (name: string) => `${folder}.${name}`;
  return {
    kind: 'self',
    folder: `${folder}.`,
    parts,
    unchanged: unchanged.map(inFolder),
    norms: norms && { q: inFolder(norms.q), k: inFolder(norms.k) },
  };
}

const LLAMA = `layers.${MODULE}.self_attn`;
const NEOX = `layers.${MODULE}.attention`;
const GPT2 = `h.${MODULE}.attn`;
const NANOCHAT = `transformer.h.${MODULE}.attn`;
const T5_SELF = `decoder.block.${MODULE}.layer.0.SelfAttention`;
const T5_CROSS = `decoder.block.${MODULE}.layer.1.EncDecAttention`;

const whole = () => 1;
const ROTARY = { pairing: 'half', rotaryShare: whole, plainQkNorm: false } as const;
const NO_ROTARY = { pairing: 'none', rotaryShare: whole, plainQkNorm: false } as const;
const IN_CONFIG = { kvHeadsField: 'num_key_value_heads', loadable: true } as const;
const NOT_IN_CONFIG = { kvHeadsField: 'num_key_value_heads', loadable: false } as const;

/** The first of the numbers under `names` in the config or in its `rope_parameters`. */
export function ropeNumber(config: Fields, ...names: string[]): number | undefined {
  const nested = config['rope_parameters'];
  const inner = typeof nested === 'object' && nested !== null ? (nested as Fields) : {};
  return [config, inner]
    .flatMap((fields) => names.map((name) => fields[name]))
    .find((value): value is number => typeof value === 'number');
}

/** A table of one number for each query head, that every layer of T5's decoder shares. */
const POSITION_BIAS: PartSpec = {
  name: `${T5_SELF}.relative_attention_bias.weight`,
  order: 'q',
  axis: 1,
  rows: 'one',
  other: 'any',
  optional: true,
};

export const FAMILIES: readonly Family[] = [
  {
    name: 'llama',
    modelTypes: ['llama', 'mistral', 'mixtral', 'qwen2', 'qwen2_moe', 'qwen3', 'qwen3_moe'].concat([
      'gemma',
      'gemma2',
      'gemma3',
      'gemma3_text',
    ]),
    modules: [
      selfAttention(LLAMA, {
        parts: separate(LLAMA, ['q_proj', 'k_proj', 'v_proj', 'o_proj']),
        unchanged: ['o_proj.bias', 'rotary_emb.inv_freq'],
        norms: { q: 'q_norm.weight', k: 'k_norm.weight' },
      }),
    ],
    ...IN_CONFIG,
    ...ROTARY,
  },
  {
    // The port of nanochat to huggingface/transformers: Llama's names, and norms of q and k that have no weights.
    name: 'nanochat-hf',
    modelTypes: ['nanochat'],
    modules: [
      selfAttention(LLAMA, {
        parts: separate(LLAMA, ['q_proj', 'k_proj', 'v_proj', 'o_proj']),
        unchanged: ['o_proj.bias'],
      }),
    ],
    ...IN_CONFIG,
    ...ROTARY,
    plainQkNorm: true,
  },
  {
    name: 'phi3',
    modelTypes: ['phi3'],
    modules: [
      selfAttention(LLAMA, {
        parts: fused(LLAMA, ['qkv_proj', 'o_proj'], 'qkv', false),
        unchanged: ['o_proj.bias', 'rotary_emb.inv_freq'],
      }),
    ],
    ...IN_CONFIG,
    ...ROTARY,
    rotaryShare: (config) => ropeNumber(config, 'partial_rotary_factor') ?? 1,
  },
  {
    name: 'gpt-neox',
    modelTypes: ['gpt_neox'],
    modules: [
      selfAttention(NEOX, {
        parts: fused(NEOX, ['query_key_value', 'dense'], 'grouped', false),
        unchanged: ['dense.bias', 'bias', 'masked_bias', 'rotary_emb.inv_freq'],
      }),
    ],
    ...NOT_IN_CONFIG,
    ...ROTARY,
    rotaryShare: (config) => ropeNumber(config, 'rotary_pct', 'partial_rotary_factor') ?? 0.25,
  },
  {
    name: 'gpt-2',
    modelTypes: ['gpt2'],
    modules: [
      selfAttention(GPT2, {
        parts: fused(GPT2, ['c_attn', 'c_proj'], 'qkv', true),
        unchanged: ['c_proj.bias', 'bias', 'masked_bias'],
      }),
    ],
    ...NOT_IN_CONFIG,
    ...NO_ROTARY,
  },
  {
    // GPT-2's names, but torch's Linear keeps weights as [out, in].
    name: 'nanogpt',
    modelTypes: [],
    modules: [
      selfAttention(GPT2, {
        parts: fused(GPT2, ['c_attn', 'c_proj'], 'qkv', false),
        unchanged: ['c_proj.bias', 'bias'],
      }),
    ],
    ...NOT_IN_CONFIG,
    ...NO_ROTARY,
  },
  {
    name: 'nanochat',
    modelTypes: [],
    modules: [
      selfAttention(NANOCHAT, {
        parts: [
          ...separate(NANOCHAT, ['c_q', 'c_k', 'c_v', 'c_proj']),
          // In every other layer a table adds to each KV head's value, weighed by a gate for each KV head.
          {
            name: `${NANOCHAT}.ve_gate.weight`,
            order: 'v',
            axis: 0,
            rows: 'one',
            other: 'any',
            optional: true,
          },
          {
            name: `value_embeds.${MODULE}.weight`,
            order: 'v',
            axis: 1,
            rows: 'headDim',
            other: 'any',
            optional: true,
          },
        ],
      }),
    ],
    kvHeadsField: 'n_kv_head',
    loadable: true,
    ...ROTARY,
    plainQkNorm: true,
  },
  {
    // The decoder's two modules; the encoder's heads work in parallel on all tokens and keep no cache.
    name: 't5',
    modelTypes: ['t5', 'mt5', 'umt5'],
    modules: [
      selfAttention(T5_SELF, { parts: [...separate(T5_SELF, ['q', 'k', 'v', 'o']), POSITION_BIAS] }),
      {
        ...selfAttention(T5_CROSS, {
          parts: separate(T5_CROSS, ['q', 'k', 'v', 'o']),
          // Early exports carry a table that cross-attention never reads.
          unchanged: ['relative_attention_bias.weight'],
        }),
        kind: 'cross',
      },
    ],
    ...NOT_IN_CONFIG,
    ...NO_ROTARY,
  },
];
