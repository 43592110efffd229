// headPlaces.ts: where each family keeps each element of each head, written out anew and apart from the library's tables.
import { HEAD_DIM as D, HEADS as HQ, HIDDEN, T5_HIDDEN } from './checkpoints.ts';

export type HeadRole = 'q' | 'k' | 'v' | 'o';

/** An element of a head: row r of its head_dim, column c of the width it reads from (or, for o, writes to). */
export interface Element {
  readonly layer: number;
  readonly kind: 'self' | 'cross';
  readonly role: HeadRole;
  readonly head: number;
  readonly r: number;
  readonly c: number;
}

/** Name of a tensor and position in it. */
export type Place = readonly [name: string, index: number];

export interface FamilyPlaces {
  readonly width: number;
  readonly kinds: readonly Element['kind'][];
  readonly place: (element: Element, numKvHeads: number) => Place;
  /** Where the bias of row r is; undefined where the family has none. */
  readonly bias?: (element: Element, numKvHeads: number) => Place;
  /** `theta` by layer. */
  readonly rope: { readonly dims: number; readonly theta: readonly number[] } | undefined;
  readonly scale: number;
  readonly softcap?: number;
  readonly norm: 'none' | 'plain' | 'weights';
  /** What a norm's weights count from: Gemma's are added to 1. */
  readonly normFrom?: number;
  /** Added to the scores: a table [buckets, Hq] by distance, exact up to 15. */
  readonly biasTable?: string;
}

function linear(names: (element: Element) => string, width: number): FamilyPlaces['place'] {
  return (element) => {
    const { role, head, r, c } = element;
    return [names(element), role === 'o' ? c * HQ * D + head * D + r : (head * D + r) * width + c];
  };
}

const llamaName = ({ layer, role }: Element) => `model.layers.${layer}.self_attn.${role}_proj.weight`;
const ROPE = { dims: D, theta: [10_000, 10_000] };
const SCALE = 1 / Math.sqrt(D);
const LLAMA: FamilyPlaces = {
  width: HIDDEN,
  kinds: ['self'],
  place: linear(llamaName, HIDDEN),
  rope: ROPE,
  scale: SCALE,
  norm: 'none',
};

/** Head number in a fused projection: all of q, all of k, all of v. */
function inBlocks({ role, head }: Element, kv: number): number {
  return role === 'q' ? head : role === 'k' ? HQ + head : HQ + kv + head;
}

/** Head number in NeoX's fused projection: for each KV head its queries, its key, its value. */
function inGroups({ role, head }: Element, kv: number): number {
  const g = HQ / kv;
  if (role === 'q') return Math.floor(head / g) * (g + 2) + (head % g);
  return head * (g + 2) + g + (role === 'k' ? 0 : 1);
}

export const FAMILY_PLACES: Readonly<Record<string, FamilyPlaces>> = {
  llama: LLAMA,
  mistral: LLAMA,
  gemma: LLAMA,
  qwen2: {
    ...LLAMA,
    bias: (e) => [llamaName(e).replace('weight', 'bias'), e.head * D + e.r],
  },
  qwen3: { ...LLAMA, norm: 'weights' },
  gemma2: { ...LLAMA, scale: 1 / 2, softcap: 2 },
  gemma3: {
    ...LLAMA,
    norm: 'weights',
    normFrom: 1,
    scale: 1 / 4,
    rope: { dims: D, theta: [1_000_000, 100] },
  },
  'nanochat-hf': { ...LLAMA, norm: 'plain' },
  phi3: {
    ...LLAMA,
    place: (e, kv) =>
      e.role === 'o'
        ? LLAMA.place(e, kv)
        : [`model.layers.${e.layer}.self_attn.qkv_proj.weight`, (inBlocks(e, kv) * D + e.r) * HIDDEN + e.c],
  },
  'gpt-neox': {
    ...LLAMA,
    rope: { dims: D / 2, theta: [10_000, 10_000] },
    place: (e, kv) => {
      const at = `gpt_neox.layers.${e.layer}.attention`;
      if (e.role === 'o') return [`${at}.dense.weight`, e.c * HQ * D + e.head * D + e.r];
      return [`${at}.query_key_value.weight`, (inGroups(e, kv) * D + e.r) * HIDDEN + e.c];
    },
    bias: (e, kv) => [`gpt_neox.layers.${e.layer}.attention.query_key_value.bias`, inGroups(e, kv) * D + e.r],
  },
  'gpt-2': {
    ...LLAMA,
    rope: undefined,
    place: (e, kv) => {
      if (e.role === 'o') return [`h.${e.layer}.attn.c_proj.weight`, (e.head * D + e.r) * HIDDEN + e.c];
      return [`h.${e.layer}.attn.c_attn.weight`, e.c * (HQ + 2 * kv) * D + inBlocks(e, kv) * D + e.r];
    },
    bias: (e, kv) => [`h.${e.layer}.attn.c_attn.bias`, inBlocks(e, kv) * D + e.r],
  },
  nanogpt: {
    ...LLAMA,
    rope: undefined,
    place: (e, kv) => {
      const at = `transformer.h.${e.layer}.attn`;
      if (e.role === 'o') return [`${at}.c_proj.weight`, e.c * HQ * D + e.head * D + e.r];
      return [`${at}.c_attn.weight`, (inBlocks(e, kv) * D + e.r) * HIDDEN + e.c];
    },
  },
  nanochat: {
    ...LLAMA,
    rope: { dims: D, theta: [100_000, 100_000] },
    scale: 1.44 * SCALE,
    norm: 'plain',
    place: linear(
      ({ layer, role }) => `transformer.h.${layer}.attn.c_${role === 'o' ? 'proj' : role}.weight`,
      HIDDEN,
    ),
  },
  t5: {
    ...LLAMA,
    width: T5_HIDDEN,
    kinds: ['self', 'cross'],
    rope: undefined,
    scale: 1,
    biasTable: 'decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight',
    place: linear(
      ({ layer, kind, role }) =>
        `decoder.block.${layer}.layer.${kind === 'self' ? '0.SelfAttention' : '1.EncDecAttention'}.${role}.weight`,
      T5_HIDDEN,
    ),
  },
};
