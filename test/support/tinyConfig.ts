// tinyConfig.ts: the sizes of a model in a config.json, as small as a description of it needs.

/** A config.json. */
export type Config = Record<string, unknown>;

export const TINY = {
  hidden_size: 16,
  intermediate_size: 8,
  vocab_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 8,
};
