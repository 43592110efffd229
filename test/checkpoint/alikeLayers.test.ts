// alikeLayers.test.ts: models whose layers differ are not converted, whatever their tensors are called.
import { describe, expect, it } from 'vitest';
import { findAttention } from '../../src/checkpoint/find/findAttention.ts';

const CONFIG = {
  model_type: 'llama',
  hidden_size: 32,
  num_attention_heads: 4,
  num_hidden_layers: 4,
  num_key_value_heads: 4,
};

describe('layers that are not alike', () => {
  it.each([
    { num_kv_shared_layers: 2 },
    { full_attention_interval: 2 },
    { num_key_value_heads_per_layer: [4, 4, 2, 1] },
    { layer_types: ['mamba', 'attention', 'mamba', 'attention'] },
  ])('are refused: %j', (fields) => {
    expect(() => findAttention(new Map(), { ...CONFIG, ...fields }, 'm')).toThrow(
      'm: config.json has layers without KV heads of their own, or with other numbers of them: expected layers that are alike',
    );
  });

  it('are not those that see a window', () => {
    expect(() => findAttention(new Map(), { ...CONFIG, model_type: 'mistral' }, 'm')).toThrow(
      'the names of no known family',
    );
  });
});
