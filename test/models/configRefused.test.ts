// configRefused.test.ts: what a config.json leaves out, what it says twice, and fields that nobody here understands.
import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/device/errors.ts';
import { shapeFromConfig } from '../../src/models/config.ts';
import { LLAMA_3_8B } from './publishedConfigs.ts';

const read = (config: unknown) => shapeFromConfig(config, 'm/config.json');

/** Sizes alone: no model type, and no number of KV heads. */
const SIZES = { hidden_size: 4096, num_attention_heads: 32, num_hidden_layers: 32 };

describe('a number of KV heads that is left out', () => {
  it.each([
    ['mistral', 8],
    ['mixtral', 8],
    ['starcoder2', 2],
    ['jamba', 8],
    ['glm4', 2],
    ['smollm3', 4],
    ['gpt_bigcode', 1],
    ['falcon', 1],
    ['gemma2', 4],
    ['qwen2_moe', 16],
    ['llama', 32],
    ['phi3', 32],
    ['olmo', 32],
    ['gpt_neox', 32],
    ['baichuan', 32],
  ])('%s: %i', (type, kvHeads) => {
    expect(read({ ...SIZES, model_type: type }).numKvHeads).toBe(kvHeads);
  });

  it('says so', () => {
    expect(read({ ...SIZES, model_type: 'mistral' }).notes).toContain(
      'KV heads 8 by default of mistral ("num_key_value_heads" absent)',
    );
  });

  it('is one for each query head where it is null and the class is known', () => {
    expect(read({ ...SIZES, model_type: 'mistral', num_key_value_heads: null }).numKvHeads).toBe(32);
  });

  it.each([
    [{ model_type: 'novel' }, 'it is not known for model_type "novel"'],
    [{ model_type: 'novel', num_key_value_heads: null }, 'it is not known for model_type "novel"'],
    [{}, 'there is no model_type'],
  ])('is refused for other types: %j', (fields, why) => {
    expect(() => read({ ...SIZES, ...fields })).toThrow(ShapeError);
    expect(() => read({ ...SIZES, ...fields })).toThrow(
      `m/config.json: expected num_key_value_heads, got none, and its default is not known: ${why}; add the field, or give the shape by hand (--layers --heads --kv-heads --head-dim)`,
    );
  });
});

describe('fields that nobody understands', () => {
  it.each<[string, unknown]>([
    ['attention_types_per_layer', ['a', 'b']],
    ['attn_layers', [0, 4]],
    ['attn_mode', 'sparse'],
    ['block_config', { a: 1 }],
    ['cross_layer_interval', 4],
    ['dense_attention_every_n_layers', 2],
    ['global_layers', [0]],
    ['hybrid_layer_pattern', [0, 1]],
    ['kv_cache_groups', [0, 0, 1, 1]],
    ['kv_reuse_factor', 2],
    ['kv_share_factor', 2],
    ['compression_ratio', 4],
    ['full_attn_mod', 2],
    ['layer_groups', 4],
    ['loop_num', 2],
    ['mean_recurrence', 32],
    ['n_layers_in_recurrent_block', 4],
    ['total_ut_steps', 4],
    ['linear_attn_config', { full_attn_layers: [4] }],
    ['mamba_layers', [1, 2]],
    ['mixer_per_layer', 'MMMA'],
    ['num_attention_groups', 8],
    ['num_attention_heads_per_layer', [32, 16]],
    ['num_shared_kv_layers', 8],
    ['share_kv_every', 2],
    ['swa_head_dim', 64],
    ['swa_num_key_value_heads', 4],
    ['window_layers', [1]],
    ['yoco_cross_layers', 16],
  ])('%s is refused by name', (name, value) => {
    expect(() => read({ ...LLAMA_3_8B, [name]: value })).toThrow(
      new RegExp(
        `^m/config\\.json: ${name} \\(.*\\) may change what the layers keep, and is not understood for model_type "llama"; give the shape by hand`,
      ),
    );
  });

  it.each<[string, unknown]>([
    ['attn_layers', null],
    ['kv_share_factor', 0],
    ['hybrid_layer_pattern', []],
    ['attention_bias', true],
    ['attention_dropout', 0.1],
    ['attn_implementation', 'flash_attention_2'],
    ['attn_logit_softcapping', 50],
    ['attn_pdrop', 0.1],
    ['cache_implementation', 'hybrid'],
    ['compression_ratio', 1],
    ['dual_chunk_attention_config', { chunk_size: 262_144, local_size: 8192 }],
    ['full_attn_alpha_factor', 1],
    ['full_attn_mod', 1],
    ['max_attn_value', 30],
    ['total_ut_steps', 1],
    ['first_k_dense_replace', 3],
    ['layer_norm_eps', 1e-5],
    ['mlp_layer_types', ['dense', 'sparse']],
    ['moe_layers', [1, 3]],
    ['n_shared_experts', 2],
    ['no_rope_layers', [1, 1, 1, 0]],
    ['num_nextn_predict_layers', 0],
    ['rope_scaling', { factor: 8, rope_type: 'llama3' }],
    ['scale_attn_by_inverse_layer_idx', true],
    ['shared_expert_intermediate_size', 512],
    ['use_parallel_block', true],
    ['vision_feature_layer', -2],
  ])('%s: %j changes nothing', (name, value) => {
    expect(read({ ...LLAMA_3_8B, [name]: value }).notes).toEqual(read(LLAMA_3_8B).notes);
  });

  it('says that layers for drafting are not counted', () => {
    const { kvLayers, notes } = read({ ...LLAMA_3_8B, num_nextn_predict_layers: 1 });
    expect(kvLayers).toEqual(read(LLAMA_3_8B).kvLayers);
    expect(notes).toContain(
      'num_nextn_predict_layers (1): such layers, for drafting further tokens, are not counted',
    );
  });

  it('looks into attn_config too', () => {
    const dbrx = { model_type: 'dbrx', d_model: 6144, n_heads: 48, n_layers: 40 };
    expect(() => read({ ...dbrx, attn_config: { kv_n_heads: 8, sliding_window_pattern: 'x' } })).toThrow(
      'sliding_window_pattern ("x") may change what the layers keep',
    );
  });
});

describe('a number that stands twice', () => {
  it.each<[object, object, string]>([
    [
      { num_key_value_heads: 8 },
      { num_key_value_heads: 4 },
      'num_key_value_heads is 8, and text_config has 4',
    ],
    [{ num_hidden_layers: 32 }, { num_hidden_layers: 16 }, 'num_hidden_layers is 32, and text_config has 16'],
    [{ head_dim: 64 }, { head_dim: 128 }, 'head_dim is 64, and text_config has 128'],
  ])('and differs is refused with both: %j, %j', (top, inner, message) => {
    const text = { ...LLAMA_3_8B, ...inner };
    const expected = `m/config.json: ${message}: expected the same in both`;
    expect(() => read({ model_type: 'llava', ...top, text_config: text })).toThrow(expected);
    expect(() => read({ ...LLAMA_3_8B, ...top, text_config: text })).toThrow(expected);
  });
});

describe('models without a KV cache', () => {
  it.each([
    ['bert', 'bert is an encoder and keeps no KV cache'],
    ['roberta', 'roberta is an encoder and keeps no KV cache'],
    ['modernbert', 'modernbert is an encoder and keeps no KV cache'],
    ['mamba2', 'mamba2 has no attention, and so no KV cache'],
    [
      'deepseek_v3',
      'deepseek_v3 has multi-head latent attention, which stores one compressed vector per token',
    ],
  ])('%s', (type, message) => {
    expect(() => read({ ...SIZES, model_type: type })).toThrow(`m/config.json: ${message}`);
  });

  it('are not those that decode', () => {
    expect(read({ ...SIZES, model_type: 'bert', is_decoder: true }).numKvHeads).toBe(32);
    expect(() => read({ ...LLAMA_3_8B, use_bidirectional_attention: true })).toThrow(
      'a model with "use_bidirectional_attention" is an encoder and keeps no KV cache',
    );
  });
});
