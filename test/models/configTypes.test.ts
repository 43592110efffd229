// configTypes.test.ts: types whose config.json says too little by itself, and windows that are written as none.
import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/device/errors.ts';
import { shapeFromConfig } from '../../src/models/config.ts';
import { halves, kvCacheBytes } from '../../src/models/kvBytes.ts';

const read = (config: unknown) => shapeFromConfig(config, 'm/config.json');

/** Bytes of an f16 cache of one sequence of 131,072 tokens. */
function cacheOf(config: unknown): number {
  return kvCacheBytes(read(config).kvLayers, 131_072, 1, halves, { windowed: true });
}

/** Bytes of a layer: K and V of two bytes an element. */
const layer = (heads: number, headDim: number, tokens = 131_072) => 2 * 2 * heads * headDim * tokens;

const PHI_4_MINI_FLASH = {
  model_type: 'phi4flash',
  hidden_size: 2560,
  mamba_d_conv: 4,
  mamba_d_state: 16,
  mamba_expand: 2,
  mb_per_layer: 2,
  num_attention_heads: 40,
  num_hidden_layers: 32,
  num_key_value_heads: 20,
  sliding_window: 512,
};

describe('Phi-4-mini-flash', () => {
  it('has 8 layers with a window, one whole cache, and 7 layers that share it', () => {
    expect(cacheOf(PHI_4_MINI_FLASH)).toBe(8 * layer(20, 64, 512) + layer(20, 64));
    const { kvLayers, notes } = read(PHI_4_MINI_FLASH);
    expect(kvLayers.map(({ count, kind }) => `${count} ${kind}`)).toEqual([
      '1 global',
      '8 local',
      '7 shared',
      '16 none',
    ]);
    expect(notes).toContain('layers that share a cache: those from 18 on, as in every phi4flash');
  });

  it('has attention in every layer without state spaces', () => {
    const layers = 8 * layer(20, 64, 512) + 10 * layer(20, 64);
    expect(cacheOf({ ...PHI_4_MINI_FLASH, mb_per_layer: 0 })).toBe(layers);
  });
});

describe('fields that say what is read and not what is kept', () => {
  const PHI_3_SMALL = {
    model_type: 'phi3small',
    blocksparse_block_size: 64,
    blocksparse_homo_head_pattern: false,
    blocksparse_num_local_blocks: 16,
    blocksparse_triton_kernel_block_size: 64,
    blocksparse_vert_stride: 8,
    dense_attention_every_n_layers: 2,
    ff_intermediate_size: 14336,
    hidden_size: 4096,
    num_attention_heads: 32,
    num_hidden_layers: 32,
    num_key_value_heads: 8,
  };

  it('Phi-3-small: sparse layers read blocks of a cache that keeps every token', () => {
    expect(cacheOf(PHI_3_SMALL)).toBe(32 * layer(8, 128));
  });

  it('of another type are refused', () => {
    expect(() => read({ ...PHI_3_SMALL, model_type: 'novel' })).toThrow(
      'blocksparse_num_local_blocks (16) may change what the layers keep',
    );
  });

  const STEP_3 = {
    head_dim: 256,
    hidden_size: 7168,
    model_type: 'step3_text',
    num_attention_groups: 1,
    num_attention_heads: 64,
    num_hidden_layers: 61,
    share_expert_dim: 5120,
    share_q_dim: 2048,
  };

  it('Step3: one KV head, under a name of its own or left out', () => {
    expect(cacheOf(STEP_3)).toBe(61 * layer(1, 256));
    expect(cacheOf({ model_type: 'step3_vl', text_config: STEP_3 })).toBe(61 * layer(1, 256));
    const { num_attention_groups: _, ...silent } = STEP_3;
    expect(read(silent).notes).toContain(
      'KV heads 1 by default of step3_text ("num_attention_groups" absent)',
    );
    expect(() => read({ ...STEP_3, model_type: 'step3p5' })).toThrow(ShapeError);
  });
});

describe('sizes that a nested config leaves to its class', () => {
  const VICUNA = { model_type: 'llama', _name_or_path: 'lmsys/vicuna-7b-v1.5', vocab_size: 32064 };

  it("LLaVA-1.5's is a Llama of 32 layers, 32 heads and 4096, and says where that comes from", () => {
    const config = { model_type: 'llava', text_config: VICUNA, vision_config: { hidden_size: 1024 } };
    expect(cacheOf(config)).toBe(32 * layer(32, 128));
    const { hiddenSize, layers, notes } = read(config);
    expect([hiddenSize, layers]).toEqual([4096, 32]);
    expect(notes.slice(0, 3)).toEqual([
      'num_hidden_layers 32 by default of llama ("num_hidden_layers" absent)',
      'hidden_size 4096 by default of llama ("hidden_size" absent)',
      'num_attention_heads 32 by default of llama ("num_attention_heads" absent)',
    ]);
  });

  it.each([
    ['mistral', 32 * layer(8, 128)],
    ['qwen2', 32 * layer(32, 128)],
    ['gemma', 28 * layer(16, 256)],
    ['gemma2', 13 * layer(4, 256) + 13 * layer(4, 256, 4096)],
  ])('%s', (modelType, bytes) => {
    const whole = { model_type: modelType, ...(modelType === 'mistral' && { sliding_window: null }) };
    expect(cacheOf({ model_type: 'llava_next', text_config: whole })).toBe(bytes);
  });

  it('are not those of a config at the top, nor of a class that is not known', () => {
    expect(() => read(VICUNA)).toThrow('expected a field num_hidden_layers');
    expect(() => read({ text_config: { model_type: 'novel' } })).toThrow(
      'expected a field num_hidden_layers',
    );
  });
});

describe('a window that is written as none', () => {
  const MISTRAL = {
    model_type: 'mistral',
    hidden_size: 4096,
    num_attention_heads: 32,
    num_hidden_layers: 32,
    num_key_value_heads: 8,
  };

  it.each([0, -1])('%i keeps every token, and says so', (value) => {
    for (const type of ['mistral', 'llama', 'gemma3_text', 'qwen3']) {
      const config = { ...MISTRAL, model_type: type, head_dim: 128, sliding_window: value };
      expect(cacheOf(config)).toBe(32 * layer(8, 128));
      const notes = read({ ...config, use_sliding_window: true }).notes;
      expect(notes).toContain(`no window, because "sliding_window" is ${value}`);
    }
    expect(cacheOf({ ...MISTRAL, model_type: 'llama4', head_dim: 128, attention_chunk_size: value })).toBe(
      32 * layer(8, 128),
    );
  });

  it('contradicts layers that are local', () => {
    const layer_types = Array.from({ length: 32 }, () => 'sliding_attention');
    expect(() => read({ ...MISTRAL, layer_types, sliding_window: -1 })).toThrow(
      'm/config.json: sliding_window is -1, but 32 of 32 layers are local from "layer_types"',
    );
  });

  it('is no other number below 1', () => {
    expect(() => read({ ...MISTRAL, sliding_window: -2 })).toThrow(
      'sliding_window expected a whole number from 1',
    );
  });
});
