// tinyModel.ts: a Llama and a T5 of one layer with seeded weights, as files that need no disk.
import { serializeHeader } from '../../src/checkpoint/format/safetensors.ts';
import type { ModelFiles } from '../../src/models.ts';
import { seededNormals } from '../../src/numbers/seeded.ts';

export const TINY_VOCAB = 24;

const CONFIG = {
  model_type: 'llama',
  hidden_size: 16,
  intermediate_size: 24,
  num_attention_heads: 2,
  num_hidden_layers: 1,
  num_key_value_heads: 1,
  rms_norm_eps: 1e-5,
  vocab_size: TINY_VOCAB,
  tie_word_embeddings: true,
};

const TENSORS: readonly (readonly [name: string, shape: readonly number[]])[] = [
  ['model.embed_tokens.weight', [TINY_VOCAB, 16]],
  ['model.layers.0.input_layernorm.weight', [16]],
  ['model.layers.0.self_attn.q_proj.weight', [16, 16]],
  ['model.layers.0.self_attn.k_proj.weight', [8, 16]],
  ['model.layers.0.self_attn.v_proj.weight', [8, 16]],
  ['model.layers.0.self_attn.o_proj.weight', [16, 16]],
  ['model.layers.0.post_attention_layernorm.weight', [16]],
  ['model.layers.0.mlp.gate_proj.weight', [24, 16]],
  ['model.layers.0.mlp.up_proj.weight', [24, 16]],
  ['model.layers.0.mlp.down_proj.weight', [16, 24]],
  ['model.norm.weight', [16]],
];

/** Its files; `config` and `value` change what is in them. */
export function tinyModel(
  config: Readonly<Record<string, unknown>> = {},
  value: (name: string, values: Float32Array) => void = () => {},
): ModelFiles {
  return filesOf({ ...CONFIG, ...config }, TENSORS, value);
}

const T5_CONFIG = {
  model_type: 't5',
  d_model: 16,
  d_kv: 8,
  d_ff: 24,
  num_heads: 2,
  num_layers: 1,
  is_encoder_decoder: true,
  relative_attention_num_buckets: 8,
  relative_attention_max_distance: 12,
  vocab_size: TINY_VOCAB,
};

const T5_LAYERS = [
  ['encoder.block.0.layer.0', 'SelfAttention'],
  ['encoder.block.0.layer.1', 'DenseReluDense'],
  ['decoder.block.0.layer.0', 'SelfAttention'],
  ['decoder.block.0.layer.1', 'EncDecAttention'],
  ['decoder.block.0.layer.2', 'DenseReluDense'],
] as const;

/** The files of a T5 of one layer on each side; `value` changes what is in them. */
export function tinyT5(value: (name: string, values: Float32Array) => void = () => {}): ModelFiles {
  const tensors = T5_LAYERS.flatMap(([layer, part]): (readonly [string, readonly number[]])[] => [
    [`${layer}.layer_norm.weight`, [16]],
    ...(part === 'DenseReluDense'
      ? ([
          [`${layer}.${part}.wi.weight`, [24, 16]],
          [`${layer}.${part}.wo.weight`, [16, 24]],
        ] as const)
      : ['q', 'k', 'v', 'o'].map((role) => [`${layer}.${part}.${role}.weight`, [16, 16]] as const)),
    ...(part === 'SelfAttention'
      ? [[`${layer}.${part}.relative_attention_bias.weight`, [8, 2]] as const]
      : []),
  ]);
  const others = [
    ['shared.weight', [TINY_VOCAB, 16]],
    ['encoder.final_layer_norm.weight', [16]],
    ['decoder.final_layer_norm.weight', [16]],
  ] as const;
  return filesOf(T5_CONFIG, [...tensors, ...others], value);
}

function filesOf(
  config: object,
  tensors: typeof TENSORS,
  value: (name: string, values: Float32Array) => void,
): ModelFiles {
  const specs = tensors.map(([name, shape]) => ({ name, dtype: 'F32', shape }));
  const data = tensors.map(([name, shape], i) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const values = Float32Array.from(seededNormals(i + 1, count));
    value(name, values);
    return values;
  });
  return {
    'config.json': new Blob([JSON.stringify(config)]),
    'model.safetensors': new Blob([serializeHeader(specs), ...data]),
  };
}
