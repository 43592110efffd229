// tinyModels.ts: three tiny models and a batch for each, by a formula that examples/gradients_with_torch.py has too.
import { describeModel } from '../../src/checkpoint/model/describeModel.ts';
import { ModelSource } from '../../src/models/decoder/modelSource.ts';
import type { ModelSpec, TensorReader } from '../../src/models/decoder/spec.ts';
import { seedOf } from '../../src/numbers/seeded.ts';
import type { Batch, Tensors } from '../../src/train/reference/gradientTwin.ts';

/** A model with its weights, and what it is to be trained on. */
export interface TinyModel {
  /** config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly spec: ModelSpec;
  /** Their values are f32 numbers. */
  readonly tensors: Tensors;
  readonly batch: Batch;
}

type Shapes = readonly (readonly [name: string, shape: readonly number[]])[];

const LLAMA = {
  model_type: 'llama',
  hidden_act: 'silu',
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  head_dim: 8,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  vocab_size: 29,
};

const GPT2 = {
  model_type: 'gpt2',
  activation_function: 'gelu_new',
  n_embd: 32,
  n_inner: 48,
  n_layer: 2,
  n_head: 4,
  n_positions: 24,
  layer_norm_epsilon: 1e-5,
  vocab_size: 29,
};

/** Each model's config, tensors, and sizes of its batch. */
const MODELS = {
  /** GQA, with a head of its own. */
  llama: of(
    { ...LLAMA, num_key_value_heads: 2, tie_word_embeddings: false },
    [...llamaShapes(2), ['lm_head.weight', [29, 32]]],
    [3, 13],
  ),
  /** MQA; the embedding is the head. */
  mqa: of({ ...LLAMA, num_key_value_heads: 1, tie_word_embeddings: true }, llamaShapes(1), [2, 24]),
  /** MHA, learned positions, biases; fewer tokens than positions. */
  gpt2: of(GPT2, gpt2Shapes(), [2, 17]),
};

export type TinyName = keyof typeof MODELS;

export const TINY_NAMES = Object.keys(MODELS) as readonly TinyName[];

export function tinyModel(name: TinyName): TinyModel {
  const { config, shapes, sizes } = MODELS[name];
  const described = new Map(shapes.map(([tensor, shape]) => [tensor, { name: tensor, dtype: 'F32', shape }]));
  return {
    config,
    spec: describeModel(described, config, name),
    tensors: new Map(shapes.map(([tensor, shape]) => [tensor, { shape, values: weightsOf(tensor, shape) }])),
    batch: batchOf(name, sizes, config.vocab_size),
  };
}

/** A model to load, or for the twin of the forward pass: its tensors are F32. */
export function sourceOf(name: string, spec: ModelSpec, tensors: Tensors): ModelSource {
  const reader: TensorReader = {
    tensor: (tensor) => {
      const found = tensors.get(tensor);
      return found && { dtype: 'F32', shape: found.shape };
    },
    read: (tensor) => Promise.resolve(new Uint8Array(Float32Array.from(tensors.get(tensor)!.values).buffer)),
  };
  return new ModelSource(name, spec, reader);
}

function of<C extends { readonly vocab_size: number }>(
  config: C,
  shapes: Shapes,
  sizes: readonly [batch: number, context: number],
) {
  return { config, shapes, sizes };
}

function llamaShapes(numKvHeads: number): Shapes {
  const layer = (at: string): Shapes => [
    [`${at}.input_layernorm.weight`, [32]],
    [`${at}.self_attn.q_proj.weight`, [32, 32]],
    [`${at}.self_attn.k_proj.weight`, [8 * numKvHeads, 32]],
    [`${at}.self_attn.v_proj.weight`, [8 * numKvHeads, 32]],
    [`${at}.self_attn.o_proj.weight`, [32, 32]],
    [`${at}.post_attention_layernorm.weight`, [32]],
    [`${at}.mlp.gate_proj.weight`, [48, 32]],
    [`${at}.mlp.up_proj.weight`, [48, 32]],
    [`${at}.mlp.down_proj.weight`, [32, 48]],
  ];
  return [
    ['model.embed_tokens.weight', [29, 32]],
    ...layer('model.layers.0'),
    ...layer('model.layers.1'),
    ['model.norm.weight', [32]],
  ];
}

/** Products of GPT-2 are [in, out]. */
function gpt2Shapes(): Shapes {
  const layer = (at: string): Shapes => [
    [`${at}.ln_1.weight`, [32]],
    [`${at}.ln_1.bias`, [32]],
    [`${at}.attn.c_attn.weight`, [32, 96]],
    [`${at}.attn.c_attn.bias`, [96]],
    [`${at}.attn.c_proj.weight`, [32, 32]],
    [`${at}.attn.c_proj.bias`, [32]],
    [`${at}.ln_2.weight`, [32]],
    [`${at}.ln_2.bias`, [32]],
    [`${at}.mlp.c_fc.weight`, [32, 48]],
    [`${at}.mlp.c_fc.bias`, [48]],
    [`${at}.mlp.c_proj.weight`, [48, 32]],
    [`${at}.mlp.c_proj.bias`, [32]],
  ];
  return [
    ['wte.weight', [29, 32]],
    ['wpe.weight', [24, 32]],
    ...layer('h.0'),
    ...layer('h.1'),
    ['ln_f.weight', [32]],
    ['ln_f.bias', [32]],
  ];
}

/** Mixes the bits of a u32: the finaliser of MurmurHash3. */
function mixed(bits: number): number {
  let x = bits >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Element i of what goes by a name: a u32. */
const bitsOf = (name: string, i: number) => mixed(seedOf(1, name) + Math.imul(i, 0x9e3779b9));

/** A direction in which to change a tensor: multiples of 2^-15 from -1 to below 1. */
export function directionOf(name: string, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => (bitsOf(name, i) >>> 16) / 2 ** 15 - 1);
}

/** Matrices are a quarter of that, gains 1 and biases 0 plus a quarter. */
function weightsOf(name: string, shape: readonly number[]): Float64Array {
  const count = shape.reduce((a, b) => a * b, 1);
  const centre = shape.length === 1 && name.endsWith('weight') ? 1 : 0;
  return directionOf(name, count).map((x) => centre + x / 4);
}

/** Each sequence is context + 1 tokens long; the targets are the tokens that follow. */
function batchOf(name: string, [batch, context]: readonly [number, number], vocab: number): Batch {
  const texts = Array.from({ length: batch }, (_, b) =>
    Array.from({ length: context + 1 }, (__, t) => bitsOf(`${name} tokens ${b}`, t) % vocab),
  );
  return { tokens: texts.map((text) => text.slice(0, -1)), targets: texts.map((text) => text.slice(1)) };
}
