// optionalTensors.test.ts: biases and norms that a model's class has by its config are there, and no others: neither is passed over.
import { expect, test } from 'vitest';
import { describeModel } from '../../../src/checkpoint/model/describeModel.ts';
import { tensorsOf } from '../../../src/checkpoint/model/tensorsOf.ts';
import { TINY, type Config } from '../../support/tinyConfig.ts';

const GPT2 = { model_type: 'gpt2', n_embd: 16, n_head: 2, n_layer: 1, n_positions: 4, vocab_size: 8 };
const NEOX = { ...TINY, model_type: 'gpt_neox', num_key_value_heads: undefined };
const ofType = (model_type: string, fields: Config = {}): Config => ({ ...TINY, model_type, ...fields });

test.each<[Config, string]>([
  [ofType('llama', { attention_bias: true }), 'layers.0.self_attn.q_proj.bias'],
  [ofType('llama', { attention_bias: true }), 'layers.1.self_attn.o_proj.bias'],
  [ofType('llama', { mlp_bias: true }), 'layers.0.mlp.gate_proj.bias'],
  [ofType('qwen2'), 'layers.1.self_attn.k_proj.bias'],
  [ofType('qwen3', { attention_bias: true }), 'layers.0.self_attn.q_proj.bias'],
  [ofType('gemma3_text', { attention_bias: true, sliding_window: 4 }), 'layers.0.self_attn.v_proj.bias'],
  [ofType('nanochat', { attention_bias: true }), 'layers.0.self_attn.o_proj.bias'],
  [GPT2, 'h.0.ln_1.bias'],
  [GPT2, 'h.0.mlp.c_fc.bias'],
  [NEOX, 'layers.0.attention.query_key_value.bias'],
])('%o without %s is refused', (config, name) => {
  const tensors = tensorsOf(config, 'F32', 'm');
  expect(() => describeModel(tensors, config, 'm')).not.toThrow();
  expect(tensors.delete(name)).toBe(true);
  expect(() => describeModel(tensors, config, 'm')).toThrow(`m: tensor "${name}" is missing`);
});

test.each<[Config, string, number]>([
  [ofType('llama'), 'layers.0.self_attn.q_proj.bias', 16],
  [ofType('llama'), 'layers.0.mlp.down_proj.bias', 16],
  [ofType('llama'), 'lm_head.bias', 8],
  [ofType('mistral', { attention_bias: true }), 'layers.0.self_attn.q_proj.bias', 16],
  [ofType('qwen2'), 'layers.0.self_attn.o_proj.bias', 16],
  [{ ...NEOX, attention_bias: false }, 'layers.1.attention.dense.bias', 16],
])('%o with %s is refused', (config, name, size) => {
  const tensors = tensorsOf(config, 'F32', 'm');
  tensors.set(name, { name, dtype: 'F32', shape: [size] });
  expect(() => describeModel(tensors, config, 'm')).toThrow(name);
});

test('norms of queries and keys are those that the class has', () => {
  const names = [0, 1].flatMap((layer) =>
    ['q', 'k'].map((of) => `layers.${layer}.self_attn.${of}_norm.weight`),
  );
  const [llama, qwen3] = [ofType('llama'), ofType('qwen3')];
  const withNorms = tensorsOf(llama, 'F32', 'm');
  for (const name of names) withNorms.set(name, { name, dtype: 'F32', shape: [8] });
  expect(() => describeModel(withNorms, llama, 'm')).toThrow(
    'm: 4 tensors are none that a model of its type has: "layers.0.self_attn.q_norm.weight"',
  );
  const without = tensorsOf(qwen3, 'F32', 'm');
  for (const name of names) expect(without.delete(name)).toBe(true);
  expect(() => describeModel(without, qwen3, 'm')).toThrow(
    'm: tensor "layers.0.self_attn.q_norm.weight" is missing',
  );
});
