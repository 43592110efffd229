// config.test.ts: shapes read from config.json files as published (attention fields only), and the files that are refused.
import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/device/errors.ts';
import { shapeFromConfig } from '../../src/models/config.ts';
import { halves, kvBytesPerToken } from '../../src/models/kvBytes.ts';
import { findPreset } from '../../src/models/presets.ts';
import {
  CHATGLM2_6B,
  FALCON_40B,
  FALCON_7B,
  GEMMA_2_2B,
  GEMMA_3_12B,
  GEMMA_3_1B,
  GEMMA_3_4B,
  GPT_2,
  GPT_OSS_20B,
  LLAMA_2_7B,
  LLAMA_3_8B,
  MISTRAL_V01,
  MISTRAL_V03,
  QWEN2_5_7B,
  QWEN3_4B,
  T5_XXL,
} from './publishedConfigs.ts';

const read = (config: unknown) => shapeFromConfig(config, 'm/config.json');

function layersOf(config: unknown): string[] {
  return read(config).kvLayers.map(
    ({ count, kind, window }) => `${count} ${kind}${window === undefined ? '' : ` ${window}`}`,
  );
}

describe('shapeFromConfig', () => {
  it.each([
    ['qwen3-4b', QWEN3_4B],
    ['llama-3.1-8b', LLAMA_3_8B],
    ['llama-2-7b', LLAMA_2_7B],
    ['gpt-2', GPT_2],
    ['t5-v1.1-xxl', T5_XXL],
    ['chatglm2-6b', CHATGLM2_6B],
    ['falcon-7b', FALCON_7B],
    ['gemma-3-4b', GEMMA_3_4B],
    ['gemma-3-12b', GEMMA_3_12B],
    ['gemma-3-1b', GEMMA_3_1B],
    ['gemma-2-2b', GEMMA_2_2B],
    ['mistral-7b-v0.1', MISTRAL_V01],
    ['mistral-7b-v0.3', MISTRAL_V03],
    ['gpt-oss-20b', GPT_OSS_20B],
    ['qwen2.5-7b', QWEN2_5_7B],
  ])('reads the file of %s as its preset', (name, config) => {
    const { name: path, source, notes, ...shape } = read(config);
    const { name: _name, source: _source, ...preset } = findPreset(name);
    expect(shape).toEqual(preset);
    expect(path).toBe('m/config.json');
    expect(source).toMatch(/^config\.json, model type /);
    expect(notes.length).toBeGreaterThanOrEqual(2);
  });

  it('gives Qwen3-4B 144 KiB per token at f16, not the 90 KiB of hidden size / heads', () => {
    expect(kvBytesPerToken(read(QWEN3_4B).kvLayers, halves)).toBe(144 * 1024);
    expect(read(QWEN3_4B).notes).toEqual([
      'head_dim 128 from "head_dim"; not hidden_size / num_attention_heads = 2560 / 32 = 80',
      'KV heads 8 from "num_key_value_heads"',
    ]);
  });

  it('says when a number comes from a rule and not from the file', () => {
    expect(read(LLAMA_2_7B).notes).toEqual([
      'head_dim 128 = hidden_size / num_attention_heads = 4096 / 32 ("head_dim" absent)',
      'KV heads 32, one for each query head ("num_key_value_heads" absent)',
    ]);
    expect(read(GEMMA_3_4B).notes).toEqual([
      'num_attention_heads 8 by default of gemma3_text ("num_attention_heads" absent)',
      'head_dim 256 by default of gemma3_text ("head_dim" absent); not hidden_size / num_attention_heads = 2560 / 8 = 320',
      'KV heads 4 by default of gemma3_text ("num_key_value_heads" absent)',
      '29 local layers because one layer in 6 is global; window 1024 from "sliding_window"',
    ]);
    expect(read(FALCON_7B).notes).toContain('KV heads 1 because "multi_query" is true');
    expect(read(QWEN2_5_7B).notes).toContain('no sliding window, because "use_sliding_window" is false');
    expect(read(GPT_2).source).toBe('config.json, model type gpt2');
    expect(read({ ...GPT_2, model_type: undefined }).source).toBe('config.json');
  });
});

describe('KV heads', () => {
  it('takes num_kv_heads in the second Falcon architecture, where multi_query means nothing', () => {
    expect(read(FALCON_40B)).toMatchObject({ numQHeads: 128, numKvHeads: 8, headDim: 64 });
    const { num_kv_heads: _, ...older } = { ...FALCON_40B, multi_query: undefined, n_head_kv: 8 };
    expect(read(older).numKvHeads).toBe(8);
    expect(read({ ...FALCON_7B, multi_query: false }).numKvHeads).toBe(71);
  });

  it('refuses multi_query beside another number, and prefers the group count to its flag', () => {
    expect(() => read({ ...LLAMA_3_8B, multi_query: true })).toThrow(
      'm/config.json: num_key_value_heads expected 1, because "multi_query" is true, got 8',
    );
    expect(read({ ...LLAMA_3_8B, num_key_value_heads: 1, multi_query: true }).numKvHeads).toBe(1);
    expect(read({ ...CHATGLM2_6B, multi_query_attention: false }).numKvHeads).toBe(32);
  });

  it('takes multi_query of the GPT-2 family for one KV head', () => {
    const starcoder = { model_type: 'gpt_bigcode', n_embd: 6144, n_head: 48, n_layer: 40, multi_query: true };
    expect(read(starcoder)).toMatchObject({ layers: 40, numQHeads: 48, numKvHeads: 1, headDim: 128 });
  });

  it('refuses query heads that are no multiple of them, with both numbers', () => {
    expect(() => read({ ...LLAMA_3_8B, num_key_value_heads: 7 })).toThrow(ShapeError);
    expect(() => read({ ...LLAMA_3_8B, num_key_value_heads: 7 })).toThrow(
      'm/config.json: num_attention_heads (32) must be a multiple of num_key_value_heads (7)',
    );
    expect(() => read({ ...LLAMA_3_8B, num_key_value_heads: 64 })).toThrow('num_key_value_heads (64)');
  });
});

describe('layers and head dim', () => {
  it('counts the decoder of T5, not the encoder', () => {
    expect(read({ ...T5_XXL, num_layers: 12, num_decoder_layers: 6 }).layers).toBe(6);
    expect(read({ ...T5_XXL, num_decoder_layers: undefined }).layers).toBe(24);
  });

  it('takes a head dim that is not d_model / heads from d_kv', () => {
    expect(read({ ...T5_XXL, d_model: 512, num_heads: 6 })).toMatchObject({ hiddenSize: 512, headDim: 64 });
  });

  it('refuses to divide where that is not whole', () => {
    expect(() => read({ ...LLAMA_3_8B, hidden_size: 4100 })).toThrow(
      'm/config.json: head_dim is absent and hidden_size (4100) is no multiple of num_attention_heads (32)',
    );
  });
});

describe('sliding windows', () => {
  it('uses max_window_layers only when the window is switched on', () => {
    const on = { ...QWEN2_5_7B, use_sliding_window: true, sliding_window: 4096, max_window_layers: 20 };
    expect(layersOf(on)).toEqual(['20 global', '8 local 4096']);
    expect(layersOf({ ...on, max_window_layers: 28 })).toEqual(['28 global']);
    const { use_sliding_window: _, ...silent } = { ...on };
    expect(layersOf(silent)).toEqual(['28 global']);
    expect(layersOf({ ...silent, model_type: 'mistral' })).toEqual(['20 global', '8 local 4096']);
  });

  it('believes layer_types before the pattern of the model type, and refuses them beside another pattern', () => {
    const types = Array.from({ length: 26 }, (_, i) => (i < 3 ? 'sliding_attention' : 'full_attention'));
    const { sliding_window_pattern: _, ...silent } = GEMMA_3_1B;
    expect(layersOf({ ...silent, layer_types: types })).toEqual(['23 global', '3 local 512']);
    expect(layersOf({ ...silent, layer_types: types.map(() => 'full_attention') })).toEqual(['26 global']);
    expect(() => read({ ...GEMMA_3_1B, layer_types: types })).toThrow(
      'm/config.json: layer_types and sliding_window_pattern contradict each other: layer 3 is global by the one, local by the other',
    );
  });

  it('has none where the file says null, whatever the model type', () => {
    expect(layersOf({ ...GEMMA_2_2B, sliding_window: null })).toEqual(['26 global']);
  });

  it('refuses local layers without a window, and lists that do not fit', () => {
    const { sliding_window: _, ...oss } = { ...GPT_OSS_20B, model_type: 'other' };
    expect(() => read(oss)).toThrow(
      'm/config.json: sliding_window is missing, but 12 of 24 layers are local from "layer_types"',
    );
    expect(() => read({ ...LLAMA_3_8B, sliding_window_pattern: 4 })).toThrow('sliding_window is missing');
    expect(() => read({ ...GPT_OSS_20B, num_hidden_layers: 25 })).toThrow(
      'layer_types expected a list of 25 (one for each layer), got a list of 24',
    );
    expect(() => read({ ...GPT_OSS_20B, layer_types: 'LLLG' })).toThrow('layer_types expected a list of 24');
    const novel = ['novel_attention', ...GPT_OSS_20B.layer_types.slice(1)];
    expect(() => read({ ...GPT_OSS_20B, layer_types: novel })).toThrow(
      /layer_types expected attention, full, .*, recurrent, got "novel_attention"/,
    );
  });
});

describe('files that are refused', () => {
  it.each([
    [null, 'm/config.json: expected a JSON object, got null'],
    [[1, 2], 'm/config.json: expected a JSON object, got a list of 2'],
    ['text', 'm/config.json: expected a JSON object, got "text"'],
    [undefined, 'm/config.json: expected a JSON object, got undefined'],
    [{ text_config: 3 }, 'm/config.json: text_config: expected a JSON object, got 3'],
  ])('is not an object: %j', (config, message) => {
    expect(() => read(config)).toThrow(message);
  });

  it('lacks a field', () => {
    expect(() => read({})).toThrow(
      'expected a field num_hidden_layers or n_layer or num_layers or n_layers, got none',
    );
    expect(() => read({ ...LLAMA_3_8B, num_attention_heads: null })).toThrow(
      'expected a field num_attention_heads or n_head or num_heads or n_heads or attention_heads, got none',
    );
    expect(() => read({ ...LLAMA_3_8B, hidden_size: undefined })).toThrow('expected a field hidden_size or');
    expect(() => read({ text_config: { hidden_size: 8 } })).toThrow(
      'm/config.json: text_config: expected a field',
    );
  });

  it.each([
    ['num_hidden_layers', 0, 'expected a whole number from 1 to 10000, got 0'],
    ['num_hidden_layers', 1e9, 'expected a whole number from 1 to 10000, got 1000000000'],
    ['num_attention_heads', -32, 'expected a whole number from 1 to 10000, got -32'],
    ['num_key_value_heads', 2.5, 'expected a whole number from 1 to 10000, got 2.5'],
    ['num_key_value_heads', [8, 4], 'expected a whole number from 1 to 10000, got a list of 2'],
    ['head_dim', '128', 'expected a whole number from 1 to 65536, got "128"'],
    ['hidden_size', NaN, 'expected a whole number from 1 to 16777216, got NaN'],
    ['sliding_window', -2, 'expected a whole number from 1 to 2147483648, got -2'],
    ['use_sliding_window', 'yes', 'expected true or false, got "yes"'],
  ])('has a bad %s: %j', (field, value, message) => {
    expect(() => read({ ...LLAMA_3_8B, [field]: value })).toThrow(`m/config.json: ${field} ${message}`);
  });

  it('has two names for a number that do not agree', () => {
    expect(() => read({ ...LLAMA_3_8B, n_head: 16 })).toThrow(
      'm/config.json: n_head expected 32 like num_attention_heads, which means the same, got 16',
    );
    expect(read({ ...LLAMA_3_8B, n_head: 32 }).numQHeads).toBe(32);
  });

  it.each(['kv_lora_rank', 'cross_attention_layers'])(
    'has a cache that is not plain K and V heads: %s',
    (field) => {
      expect(() => read({ ...LLAMA_3_8B, [field]: 16 })).toThrow(
        `m/config.json: expected no ${field}, got 16: `,
      );
      expect(read({ ...LLAMA_3_8B, [field]: null }).numKvHeads).toBe(8);
    },
  );
});
