// configLayers.test.ts: models whose layers differ: what each keeps, and the size of the cache worked out by hand.
import { describe, expect, it } from 'vitest';
import { shapeFromConfig } from '../../src/models/config.ts';
import { halves, kvBytesPerToken, kvCacheBytes } from '../../src/models/kvBytes.ts';

const read = (config: unknown) => shapeFromConfig(config, 'm/config.json');

/** The layers as "count kind KV heads x head dim", with the window behind. */
function layersOf(config: unknown): string {
  return read(config)
    .kvLayers.map(({ count, kind, numKvHeads, headDim, window }) => {
      const heads = kind === 'shared' || kind === 'none' ? '' : ` ${numKvHeads}x${headDim}`;
      return `${count} ${kind}${heads}${window === undefined ? '' : ` ${window}`}`;
    })
    .join(', ');
}

/** Bytes of an f16 cache of one sequence. */
function cacheAt(config: unknown, tokens: number): number {
  return kvCacheBytes(read(config).kvLayers, tokens, 1, halves, { windowed: true });
}

function perToken(config: unknown): number {
  return kvBytesPerToken(read(config).kvLayers, halves);
}

function repeat<T>(count: number, ...words: readonly T[]): T[] {
  return Array.from({ length: count }, () => words).flat();
}

/** A Llama of 32 layers with 8 KV heads of 128: 4,096 B per token and layer at f16. */
const PLAIN = {
  hidden_size: 4096,
  num_attention_heads: 32,
  num_hidden_layers: 32,
  num_key_value_heads: 8,
};

describe('layers without attention', () => {
  it.each<[name: string, config: object, layers: string, perToken: number]>([
    [
      'Bamba: 3 of 32 layers, 3 * 4096 B',
      {
        ...PLAIN,
        model_type: 'bamba',
        attn_layer_indices: [9, 18, 27],
        attn_rotary_emb: 64,
        mamba_n_heads: 128,
      },
      '3 global 8x128, 29 none',
      12_288,
    ],
    [
      'LFM2-1.2B: 6 of 16 layers, 6 * 2 * 8 * 64 * 2 B',
      {
        model_type: 'lfm2',
        block_auto_adjust_ff_dim: true,
        block_dim: 2048,
        block_ff_dim: 12288,
        block_use_swiglu: true,
        block_use_xavier_init: true,
        conv_L_cache: 3,
        conv_dim: 2048,
        full_attn_idxs: [2, 5, 8, 10, 12, 14],
        hidden_size: 2048,
        num_attention_heads: 32,
        num_heads: 32,
        num_hidden_layers: 16,
        num_key_value_heads: 8,
      },
      '6 global 8x64, 10 none',
      12_288,
    ],
    [
      'MiniMax-Text-01: every eighth of 80 layers, 10 * 2 * 8 * 128 * 2 B',
      {
        model_type: 'minimax_text_01',
        attn_type_list: repeat(10, 0, 0, 0, 0, 0, 0, 0, 1),
        head_dim: 128,
        hidden_size: 6144,
        layernorm_full_attention_alpha: 3.55,
        layernorm_linear_attention_beta: 1,
        num_attention_heads: 64,
        num_hidden_layers: 80,
        num_key_value_heads: 8,
        shared_intermediate_size: 0,
        shared_moe_mode: 'sigmoid',
      },
      '10 global 8x128, 70 none',
      40_960,
    ],
    [
      'Jamba: layers 4, 12, 20 and 28 of 32, 4 * 4096 B',
      { ...PLAIN, model_type: 'jamba', attn_layer_period: 8, attn_layer_offset: 4, expert_layer_period: 2 },
      '4 global 8x128, 28 none',
      16_384,
    ],
    [
      'Nemotron-H: the stars of the pattern',
      { ...PLAIN, model_type: 'nemotron_h', hybrid_override_pattern: 'M-M*M-ME'.repeat(4), chunk_size: 128 },
      '4 global 8x128, 28 none',
      16_384,
    ],
    [
      'Granite 4: a word for each layer',
      {
        ...PLAIN,
        model_type: 'granitemoehybrid',
        layer_types: repeat(4, 'mamba', 'mamba', 'attention', 'mamba', 'mamba', 'mamba', 'mamba', 'mamba'),
        attention_multiplier: 0.0078,
        shared_intermediate_size: 1024,
      },
      '4 global 8x128, 28 none',
      16_384,
    ],
    [
      'Qwen3-Next: one in four of 48 layers, 12 * 2 * 2 * 256 * 2 B',
      {
        model_type: 'qwen3_next',
        full_attention_interval: 4,
        head_dim: 256,
        hidden_size: 2048,
        linear_key_head_dim: 128,
        linear_num_key_heads: 16,
        mlp_only_layers: [],
        num_attention_heads: 16,
        num_hidden_layers: 48,
        num_key_value_heads: 2,
        shared_expert_intermediate_size: 512,
      },
      '12 global 2x256, 36 none',
      24_576,
    ],
    [
      'Zamba2: hybrid layers, heads over twice the hidden size, 2 * 2 * 32 * 160 * 2 B',
      {
        model_type: 'zamba2',
        hidden_size: 2560,
        hybrid_layer_ids: [2, 5],
        kv_channels: 80,
        layers_block_type: repeat(2, 'mamba', 'mamba', 'hybrid'),
        num_attention_heads: 32,
        num_hidden_layers: 6,
        num_mem_blocks: 2,
        num_query_groups: 32,
        use_shared_attention_adapter: true,
      },
      '2 global 32x160, 4 none',
      40_960,
    ],
    [
      'Zamba: the third layer, then every sixth from the seventh on: 2, 7, 13',
      {
        model_type: 'zamba',
        attn_layer_offset: 4,
        attn_layer_period: 6,
        hidden_size: 64,
        num_attention_heads: 2,
        num_hidden_layers: 14,
        num_key_value_heads: 2,
      },
      '3 global 2x64, 11 none',
      1536,
    ],
  ])('%s', (_, config, layers, bytes) => {
    expect(layersOf(config)).toBe(layers);
    expect(perToken(config)).toBe(bytes);
  });

  it('RecurrentGemma-2B: every third layer, all of them local', () => {
    const config = {
      model_type: 'recurrent_gemma',
      _block_types: ['recurrent', 'recurrent', 'attention'],
      attention_window_size: 2048,
      conv1d_width: 4,
      head_dim: 256,
      hidden_size: 2560,
      lru_width: 2560,
      num_attention_heads: 10,
      num_hidden_layers: 26,
      num_key_value_heads: 1,
    };
    expect(layersOf(config)).toBe('8 local 1x256 2048, 18 none');
    expect(layersOf({ ...config, block_types: config['_block_types'] })).toBe('8 local 1x256 2048, 18 none');
    // 8 layers * 2 * 1 head * 256 * 2 B = 8192 B per token, for at most 2048 tokens.
    expect(cacheAt(config, 1000)).toBe(8_192_000);
    expect(cacheAt(config, 131_072)).toBe(16_777_216);
  });

  it('refuses types whose layers it cannot know without the field', () => {
    expect(() => read({ ...PLAIN, model_type: 'bamba' })).toThrow(
      'm/config.json: expected attn_layer_indices, which says which layers have attention, got none',
    );
    expect(() => read({ ...PLAIN, model_type: 'nemotron_h' })).toThrow('expected hybrid_override_pattern');
    expect(() => read({ ...PLAIN, model_type: 'bamba', attn_layer_indices: [] })).toThrow(
      'm/config.json: no layer has a KV cache, by attn_layer_indices',
    );
  });

  it.each<[object, string]>([
    [{ attn_layer_indices: [31, 32] }, 'attn_layer_indices expected a whole number from 0 to 31, got 32'],
    [
      { attn_type_list: repeat(31, 1) },
      'attn_type_list expected a list of 32 (one for each layer), got a list of 31',
    ],
    [{ attn_type_list: repeat(32, 2) }, 'attn_type_list expected a whole number from 0 to 1, got 2'],
    [{ hybrid_override_pattern: 'M*' }, 'hybrid_override_pattern expected 32 characters of *, M, - and E'],
    [
      { attn_layer_period: 4, attn_layer_offset: 4 },
      'attn_layer_offset (4) must be below attn_layer_period (4)',
    ],
    [
      { full_attn_idxs: [0, 2], layer_types: ['attention', ...repeat(31, 'conv')] },
      'layer_types and full_attn_idxs contradict each other: layer 2 is without attention by the one, global by the other',
    ],
  ])('refuses %j', (fields, message) => {
    expect(() => read({ ...PLAIN, ...fields })).toThrow(`m/config.json: ${message}`);
  });
});

describe('layers with KV heads of their own number', () => {
  it('DeciLM-7B: a list', () => {
    const perLayer = [1, 1, ...repeat(12, 2), ...repeat(18, 4)];
    const config = {
      ...PLAIN,
      model_type: 'deci',
      num_key_value_heads: 32,
      num_key_value_heads_per_layer: perLayer,
    };
    expect(layersOf(config)).toBe('18 global 4x128, 12 global 2x128, 2 global 1x128');
    // (18 * 4 + 12 * 2 + 2 * 1) = 98 heads, 512 B each.
    expect(perToken(config)).toBe(50_176);
    expect(read(config).numKvHeads).toBe(4);
    expect(() => read({ ...config, num_hidden_layers: 33 })).toThrow(
      'num_key_value_heads_per_layer expected a list of 33 (one for each layer), got a list of 32',
    );
    expect(() => read({ ...config, num_key_value_heads_per_layer: [...perLayer.slice(1), 3] })).toThrow(
      'num_attention_heads (32) must be a multiple of num_key_value_heads_per_layer (3)',
    );
  });

  const attention = (fields: object) => ({
    attention: {
      n_heads_in_group: null,
      no_op: false,
      num_sink_tokens: null,
      replace_with_linear: false,
      sparsify: null,
      unshifted_sink: false,
      window_length: null,
      ...fields,
    },
    ffn: { ffn_mult: 5.25, no_op: false },
  });

  it('Nemotron-NAS: blocks, some of them without attention', () => {
    const blocks = [
      ...repeat(4, attention({ n_heads_in_group: 8 })),
      ...repeat(2, attention({ n_heads_in_group: 16 })),
      attention({ no_op: true }),
      attention({ replace_with_linear: true }),
    ];
    const config = {
      model_type: 'nemotron-nas',
      block_configs: blocks,
      hidden_size: 8192,
      num_attention_heads: 64,
      num_hidden_layers: 8,
      num_key_value_heads: null,
    };
    expect(layersOf(config)).toBe('4 global 8x128, 2 global 4x128, 2 none');
    // (4 * 8 + 2 * 4) = 40 heads, 512 B each.
    expect(perToken(config)).toBe(20_480);
    const windowed = [attention({ n_heads_in_group: 8, window_length: 512 }), ...blocks.slice(1)];
    expect(layersOf({ ...config, block_configs: windowed })).toBe(layersOf(config));
    expect(read({ ...config, block_configs: windowed }).notes).toContain(
      'KV heads of each layer from "block_configs": 4, 8; the 1 with a "window_length" count as global',
    );
    expect(() => read({ ...config, num_hidden_layers: 9 })).toThrow('block_configs expected a list of 9');
    const sparse = [attention({ n_heads_in_group: 8, sparsify: ['x'] }), ...blocks.slice(1)];
    expect(() => read({ ...config, block_configs: sparse })).toThrow(
      'm/config.json: block_configs[0]: attention: sparsify is not understood, got a list of 1',
    );
    const uneven = [attention({ n_heads_in_group: 7 }), ...blocks.slice(1)];
    expect(() => read({ ...config, block_configs: uneven })).toThrow(
      'num_attention_heads (64) must be a multiple of block_configs: attention: n_heads_in_group (7)',
    );
  });

  it('Gemma 4: global layers with larger and fewer heads', () => {
    const config = {
      model_type: 'gemma4_text',
      attention_k_eq_v: true,
      head_dim: 256,
      hidden_size: 2816,
      num_attention_heads: 16,
      num_global_key_value_heads: 2,
      num_hidden_layers: 30,
      num_key_value_heads: 8,
      sliding_window: 1024,
    };
    expect(layersOf(config)).toBe('5 global 2x512, 25 local 8x256 1024');
    // 5 * 2 * 2 heads * 512 * 2 B + 25 * 2 * 8 heads * 256 * 2 B
    expect(perToken(config)).toBe(20_480 + 204_800);
    expect(layersOf({ ...config, attention_k_eq_v: false })).toBe('5 global 8x512, 25 local 8x256 1024');
  });
});

describe('layers that share a cache', () => {
  it('Gemma 3n: the last 15 of 35 use those of the first 20', () => {
    const config = {
      model_type: 'gemma3n',
      text_config: {
        model_type: 'gemma3n_text',
        activation_sparsity_pattern: repeat(35, 0),
        head_dim: 256,
        hidden_size: 2048,
        hidden_size_per_layer_input: 256,
        intermediate_size: repeat(35, 16384),
        layer_types: repeat(7, ...repeat(4, 'sliding_attention'), 'full_attention'),
        num_attention_heads: 8,
        num_hidden_layers: 35,
        num_key_value_heads: 2,
        num_kv_shared_layers: 15,
        sliding_window: 512,
        vocab_size_per_layer_input: 262144,
      },
    };
    expect(layersOf(config)).toBe('4 global 2x256, 16 local 2x256 512, 15 shared');
    // 2 * 2 heads * 256 * 2 B = 2048 B a layer: 4 * 32,768 tokens and 16 * 512.
    expect(cacheAt(config, 32_768)).toBe(2048 * (4 * 32_768 + 16 * 512));
    const { num_kv_shared_layers: _, layer_types: __, ...silent } = config.text_config;
    expect(layersOf({ text_config: silent })).toBe(layersOf(config));
    expect(layersOf({ text_config: { ...silent, num_kv_shared_layers: 0 } })).toBe(
      '7 global 2x256, 28 local 2x256 512',
    );
  });

  it('Hunyuan: every other of 64 layers', () => {
    const config = {
      model_type: 'hunyuan',
      attention_head_dim: 128,
      cla_share_factor: 2,
      hidden_size: 6400,
      num_attention_heads: 80,
      num_hidden_layers: 64,
      num_key_value_heads: 8,
      use_cla: true,
    };
    expect(layersOf(config)).toBe('32 global 8x128, 32 shared');
    expect(perToken(config)).toBe(32 * 4096);
    expect(layersOf({ ...config, use_cla: false })).toBe('64 global 8x128');
    // Layers 0, 3, ... 63 of 64.
    expect(layersOf({ ...config, cla_share_factor: 3 })).toBe('22 global 8x128, 42 shared');
    expect(() => read({ ...config, cla_share_factor: null })).toThrow('expected a field cla_share_factor');
  });
});

describe('local and chunked layers', () => {
  const windowed = { ...PLAIN, sliding_window: 4096 };

  it.each<[string, object]>([
    ['layer_switch', { layer_switch: 4 }],
    [
      'layer_switch of Cohere2',
      { model_type: 'cohere2', layer_switch: 4, order_of_interleaved_layers: 'local_attn_first' },
    ],
    ['global_attn_every_n_layers', { global_attn_every_n_layers: 4 }],
    ['sliding_window_pattern', { sliding_window_pattern: 4 }],
    ['the default of Cohere2', { model_type: 'cohere2' }],
    ['letters', { model_type: 'exaone4', sliding_window_pattern: 'LLLG' }],
    ['layer_types', { layer_types: repeat(8, ...repeat(3, 'sliding_attention'), 'full_attention') }],
  ])('%s: 8 of 32 layers are global', (_, fields) => {
    const config = { ...windowed, ...fields };
    expect(layersOf(config)).toBe('8 global 8x128, 24 local 8x128 4096');
    // 4096 B * (8 * 131,072 + 24 * 4096) = 4 GiB + 0.375 GiB
    expect(cacheAt(config, 131_072)).toBe(4.375 * 2 ** 30);
  });

  it('counts the first or the last of each n as global where that makes a difference', () => {
    const layers = { ...windowed, num_hidden_layers: 33 };
    expect(layersOf({ ...layers, global_attn_every_n_layers: 4 })).toMatch(/^9 global/);
    expect(
      layersOf({ ...layers, model_type: 'afmoe', head_dim: 128, global_attn_every_n_layers: 4 }),
    ).toMatch(/^8 global/);
    expect(layersOf({ ...layers, sliding_window_pattern: 4 })).toMatch(/^8 global/);
    expect(
      layersOf({ ...layers, layer_switch: 4, order_of_interleaved_layers: 'global_attn_first' }),
    ).toMatch(/^9 global/);
  });

  it('Llama 4 Scout: three of four layers keep a chunk', () => {
    const config = {
      model_type: 'llama4',
      text_config: {
        model_type: 'llama4_text',
        attention_chunk_size: 8192,
        attn_scale: 0.1,
        attn_temperature_tuning: 4,
        cache_implementation: 'hybrid',
        for_llm_compressor: false,
        head_dim: 128,
        hidden_size: 5120,
        interleave_moe_layer_step: 1,
        no_rope_layers: [],
        num_attention_heads: 40,
        num_hidden_layers: 48,
        num_key_value_heads: 8,
      },
    };
    expect(layersOf(config)).toBe('12 global 8x128, 36 chunked 8x128 8192');
    // 4096 B * (12 * 131,072 + 36 * 8192)
    expect(cacheAt(config, 131_072)).toBe(4096 * (12 * 131_072 + 36 * 8192));
    const text = config.text_config;
    const list = { ...text, no_rope_layers: [0, ...repeat(47, 1)] };
    expect(layersOf(list)).toBe('1 global 8x128, 47 chunked 8x128 8192');
    const types = {
      ...text,
      no_rope_layers: null,
      layer_types: repeat(24, 'chunked_attention', 'full_attention'),
    };
    expect(layersOf(types)).toBe('24 global 8x128, 24 chunked 8x128 8192');
    expect(layersOf({ ...text, attention_chunk_size: null })).toBe('48 global 8x128');
  });

  it('SmolLM3: layers without rotary positions, where the window is switched on', () => {
    const config = {
      ...windowed,
      model_type: 'smollm3',
      no_rope_layer_interval: 4,
      use_sliding_window: true,
    };
    expect(layersOf(config)).toBe('24 global 8x128, 8 local 8x128 4096');
    expect(layersOf({ ...config, use_sliding_window: false })).toBe('32 global 8x128');
  });

  it('GPT-Neo: words with how often they are repeated', () => {
    const config = {
      model_type: 'gpt_neo',
      attention_layers: repeat(12, 'global', 'local'),
      attention_types: [[['global', 'local'], 12]],
      hidden_size: 2048,
      num_heads: 16,
      num_layers: 24,
      window_size: 256,
    };
    expect(layersOf(config)).toBe('12 global 16x128, 12 local 16x128 256');
    const { attention_layers: _, ...silent } = config;
    expect(layersOf(silent)).toBe(layersOf(config));
    expect(() => read({ ...silent, num_layers: 23 })).toThrow(
      'attention_types expected words for 23 layers, got 24',
    );
  });

  it.each(['mistral', 'mixtral', 'phi3', 'starcoder2'])('every layer of %s sees its window', (type) => {
    expect(layersOf({ ...windowed, model_type: type })).toBe('32 local 8x128 4096');
  });

  it.each<[object, string]>([
    [windowed, 'sliding_window'],
    [{ ...windowed, model_type: 'novel' }, 'sliding_window'],
    [{ ...windowed, model_type: 'llama' }, 'sliding_window'],
    [{ ...PLAIN, model_type: 'novel', attention_window_size: 4096 }, 'attention_window_size'],
    [{ ...PLAIN, model_type: 'novel', attention_chunk_size: 4096 }, 'attention_chunk_size'],
    [{ ...PLAIN, model_type: 'novel', local_window: 4096 }, 'local_window'],
  ])('a window whose layers are unknown counts for nothing, and that is said: %j', (config, name) => {
    expect(layersOf(config)).toBe('32 global 8x128');
    expect(read(config).notes).toContain(
      `every layer counts as global: nothing says which layers "${name}" (4096) is for`,
    );
  });

  it("nanochat's letters: windows of a length that the file does not give", () => {
    const config = { n_embd: 768, n_head: 6, n_kv_head: 6, n_layer: 12, window_pattern: 'SSSL' };
    expect(layersOf(config)).toBe('12 global 6x128');
    expect(read(config).notes).toContain(
      'every layer counts as global: nothing says which layers "window_pattern" ("SSSL") is for',
    );
    expect(read({ ...config, window_pattern: 'L' }).notes).toHaveLength(2);
  });

  it('refuses letters and rules that contradict each other', () => {
    expect(() => read({ ...windowed, sliding_window_pattern: 'LLXG' })).toThrow(
      'm/config.json: sliding_window_pattern expected letters L and G, got "LLXG"',
    );
    expect(() => read({ ...windowed, sliding_window_pattern: 4, layer_switch: 2 })).toThrow(
      'sliding_window_pattern and layer_switch contradict each other: layer 1 is local by the one, global by the other',
    );
  });
});

describe('decoders with an encoder', () => {
  it('Whisper: the decoder, and 1,500 tokens of sound in its cross-attention', () => {
    const config = {
      model_type: 'whisper',
      d_model: 1280,
      decoder_attention_heads: 20,
      decoder_layers: 2,
      encoder_attention_heads: 20,
      encoder_layers: 32,
      is_encoder_decoder: true,
      max_source_positions: 1500,
      num_hidden_layers: 32,
    };
    expect(layersOf(config)).toBe('2 global 20x64, 2 cross 20x64 1500');
    // 2 * 20 heads * 64 * 2 B = 5120 B a layer: two layers of 448 tokens and two of 1500.
    expect(perToken(config)).toBe(10_240);
    expect(cacheAt(config, 448)).toBe(5120 * 2 * (448 + 1500));
  });

  it('BART: self-attention, and cross-attention of a length that the file does not know', () => {
    const config = {
      model_type: 'bart',
      d_model: 1024,
      decoder_attention_heads: 16,
      decoder_layers: 12,
      encoder_attention_heads: 8,
      encoder_layers: 6,
      is_encoder_decoder: true,
      num_hidden_layers: 6,
    };
    expect(layersOf(config)).toBe('12 global 16x64, 12 cross 16x64');
    // 12 * 2 * 16 heads * 64 * 2 B
    expect(cacheAt(config, 100)).toBe(4_915_200);
  });
});

describe('other names', () => {
  it.each<[string, object, string]>([
    [
      'DBRX',
      {
        model_type: 'dbrx',
        attn_config: { clip_qkv: 8, kv_n_heads: 8 },
        d_model: 6144,
        n_heads: 48,
        n_layers: 40,
      },
      '40 global 8x128',
    ],
    [
      'MPT',
      {
        model_type: 'mpt',
        attn_config: { attn_type: 'multihead_attention' },
        d_model: 4096,
        n_heads: 32,
        n_layers: 32,
      },
      '32 global 32x128',
    ],
    [
      'MPT, multi-query',
      {
        model_type: 'mpt',
        attn_config: { attn_type: 'multiquery_attention' },
        d_model: 4096,
        n_heads: 32,
        n_layers: 32,
      },
      '32 global 1x128',
    ],
    ['BLOOM', { model_type: 'bloom', n_embed: 4096, n_head: 32, n_layer: 30 }, '30 global 32x128'],
    [
      'OPT',
      { model_type: 'opt', hidden_size: 768, num_attention_heads: 12, num_hidden_layers: 12 },
      '12 global 12x64',
    ],
    [
      'Qwen2.5-VL, whose numbers stand twice',
      {
        model_type: 'qwen2_5_vl',
        ...PLAIN,
        text_config: { model_type: 'qwen2_5_vl_text', ...PLAIN, num_key_value_heads: 8 },
      },
      '32 global 8x128',
    ],
    [
      'a number that stands in text_config alone',
      {
        ...PLAIN,
        num_key_value_heads: undefined,
        text_config: { model_type: 'llama', num_key_value_heads: 8 },
      },
      '32 global 8x128',
    ],
    [
      'Snowflake Arctic',
      { ...PLAIN, model_type: 'arctic', moe_layer_frequency: 2, parallel_attn_mlp_res: true },
      '32 global 8x128',
    ],
  ])('%s', (_, config, layers) => {
    expect(layersOf(config)).toBe(layers);
  });
});
