// tinyModel.ts: a Llama of one layer with seeded weights, as files that need no disk.
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
  const specs = TENSORS.map(([name, shape]) => ({ name, dtype: 'F32', shape }));
  const data = TENSORS.map(([name, shape], i) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const values = Float32Array.from(seededNormals(i + 1, count));
    value(name, values);
    return values;
  });
  return {
    'config.json': new Blob([JSON.stringify({ ...CONFIG, ...config })]),
    'model.safetensors': new Blob([serializeHeader(specs), ...data]),
  };
}
