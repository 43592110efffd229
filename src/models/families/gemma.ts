// gemma.ts: Gemma, in Llama's format with norms that count from one; from Gemma 2 on most layers see a window.
import type { Family } from './family.ts';
import { llamaFormat } from './format.ts';

export const GEMMA: Family = {
  name: 'gemma',
  types: {
    gemma: {
      defaults: { num_key_value_heads: 16, head_dim: 256 },
      nestedDefaults: { hidden_size: 3072, num_attention_heads: 16, num_hidden_layers: 28 },
    },
    gemma2: {
      defaults: { num_key_value_heads: 4, head_dim: 256, sliding_window: 4096, sliding_window_pattern: 2 },
      nestedDefaults: { hidden_size: 2304, num_attention_heads: 8, num_hidden_layers: 26 },
    },
    gemma3: {
      defaults: {
        num_attention_heads: 8,
        num_key_value_heads: 4,
        head_dim: 256,
        sliding_window: 4096,
        sliding_window_pattern: 6,
      },
      nestedDefaults: { hidden_size: 2304, num_hidden_layers: 26 },
    },
    gemma3n: {
      defaults: {
        num_attention_heads: 8,
        num_key_value_heads: 2,
        head_dim: 256,
        sliding_window: 512,
        sliding_window_pattern: 5,
        num_kv_shared_layers: 15,
      },
    },
    gemma4: {
      defaults: {
        num_key_value_heads: 4,
        head_dim: 256,
        global_head_dim: 512,
        sliding_window: 512,
        sliding_window_pattern: 6,
      },
    },
    vaultgemma: {
      defaults: { num_key_value_heads: 4, head_dim: 256, sliding_window: 4096, sliding_window_pattern: 2 },
    },
  },
  formats: [{ ...llamaFormat('gemma', 'gemma2', 'gemma3'), normsCountFromOne: true }],
};
