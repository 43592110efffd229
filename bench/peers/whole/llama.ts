// llama.ts: the model of a comparison: a Llama with seeded weights, the same numbers for every contestant.
import { tensorsOf } from '../../../src/checkpoint/model/tensorsOf.ts';
import type { ModelSource } from '../../../src/models/decoder/modelSource.ts';
import { randomModel } from '../../whole/randomModel.ts';
import { elementsIn, fromElements, type PeerShape, type PeerType, type Stored } from '../inputs.ts';

/** Sizes of a model: its rows have heads * headDim elements. */
export interface LlamaSizes {
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Width of the MLP. */
  readonly mlp: number;
  readonly vocab: number;
  /** Of weights and of the KV cache. */
  readonly type: PeerType;
}

/** A model with a shape's attention: 60 million parameters with 8 heads of 64, or a tiny one. */
export function llamaSizes({ heads, kvHeads, headDim, type }: PeerShape, tiny: boolean): LlamaSizes {
  const rest = tiny ? { layers: 2, mlp: 512, vocab: 1000 } : { layers: 8, mlp: 1536, vocab: 32_000 };
  return { ...rest, heads, kvHeads, headDim, type };
}

export const ROPE_THETA = 10000;
export const NORM_EPS = 1e-5;

/** A matrix [outputs, inputs], or the gains of a norm. */
export interface LlamaTensor {
  readonly shape: readonly number[];
  readonly data: Stored;
}

/** Weights by Hugging Face's names, and the same as this project loads them: f16, which the model's type holds exactly. */
export interface Llama {
  readonly sizes: LlamaSizes;
  readonly tensors: ReadonlyMap<string, LlamaTensor>;
  readonly source: ModelSource;
}

/** Names of tensors, without those of layers. */
export const EMBEDDING = 'embed_tokens.weight';
export const FINAL_NORM = 'norm.weight';
export const HEAD = 'lm_head.weight';

/** The name of a layer's tensor. */
export function ofLayer(layer: number, name: LayerTensor): string {
  return `layers.${layer}.${LAYER[name]}.weight`;
}

export type LayerTensor = keyof typeof LAYER;

const LAYER = {
  attentionNorm: 'input_layernorm',
  q: 'self_attn.q_proj',
  k: 'self_attn.k_proj',
  v: 'self_attn.v_proj',
  o: 'self_attn.o_proj',
  mlpNorm: 'post_attention_layernorm',
  gate: 'mlp.gate_proj',
  up: 'mlp.up_proj',
  down: 'mlp.down_proj',
} as const;

/** Elements of a row of the model. */
export function hiddenOf({ heads, headDim }: LlamaSizes): number {
  return heads * headDim;
}

/** Makes a model of random weights. */
export async function makeLlama(sizes: LlamaSizes, seed: number): Promise<Llama> {
  const config = configOf(sizes);
  const source = randomModel(config, sizes.kvHeads, 'llama', seed);
  const tensors = new Map<string, LlamaTensor>();
  for (const { name, shape } of tensorsOf(config, 'F16', 'llama').values()) {
    const halves = elementsIn('f16', (await source.read(name)) as Uint8Array<ArrayBuffer>);
    tensors.set(name, { shape, data: sizes.type === 'f16' ? halves : fromElements(halves) });
  }
  return { sizes, tensors, source };
}

function configOf(sizes: LlamaSizes) {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: hiddenOf(sizes),
    intermediate_size: sizes.mlp,
    num_hidden_layers: sizes.layers,
    num_attention_heads: sizes.heads,
    num_key_value_heads: sizes.kvHeads,
    head_dim: sizes.headDim,
    rms_norm_eps: NORM_EPS,
    rope_theta: ROPE_THETA,
    vocab_size: sizes.vocab,
    tie_word_embeddings: false,
  };
}

/** A tensor of a model. */
export function tensorOf({ tensors }: Pick<Llama, 'tensors'>, name: string): LlamaTensor {
  return tensors.get(name)!;
}

/** Bytes that a step reads of weights: all but the embedding, of which it reads a row. */
export function stepWeightBytes({ tensors }: Llama): number {
  return [...tensors].reduce((sum, [name, { data }]) => sum + (name === EMBEDDING ? 0 : data.byteLength), 0);
}

/** Cosines and sines of a head's rotation, [positions, headDim / 2] each. */
export function rotations(headDim: number, positions: number): { cos: Float32Array; sin: Float32Array } {
  const half = headDim / 2;
  const angles = Array.from({ length: positions * half }, (_, i) => {
    return Math.floor(i / half) * ROPE_THETA ** ((-2 * (i % half)) / headDim);
  });
  return { cos: Float32Array.from(angles, Math.cos), sin: Float32Array.from(angles, Math.sin) };
}
