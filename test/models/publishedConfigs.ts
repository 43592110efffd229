// publishedConfigs.ts: the attention fields of config.json files as their publishers wrote them, with what they leave out.

export const QWEN3_4B = {
  model_type: 'qwen3',
  head_dim: 128,
  hidden_size: 2560,
  max_window_layers: 36,
  num_attention_heads: 32,
  num_hidden_layers: 36,
  num_key_value_heads: 8,
  sliding_window: null,
  use_sliding_window: false,
};
export const LLAMA_3_8B = {
  model_type: 'llama',
  hidden_size: 4096,
  num_attention_heads: 32,
  num_hidden_layers: 32,
  num_key_value_heads: 8,
};
export const LLAMA_2_7B = {
  model_type: 'llama',
  hidden_size: 4096,
  num_attention_heads: 32,
  num_hidden_layers: 32,
};
export const GPT_2 = { model_type: 'gpt2', n_embd: 768, n_head: 12, n_layer: 12, n_ctx: 1024 };
export const T5_XXL = {
  model_type: 't5',
  d_kv: 64,
  d_model: 4096,
  num_heads: 64,
  num_layers: 24,
  num_decoder_layers: 24,
  is_encoder_decoder: true,
};
export const CHATGLM2_6B = {
  model_type: 'chatglm',
  hidden_size: 4096,
  kv_channels: 128,
  multi_query_attention: true,
  multi_query_group_num: 2,
  num_attention_heads: 32,
  num_layers: 28,
};
export const FALCON_7B = {
  model_type: 'falcon',
  hidden_size: 4544,
  multi_query: true,
  new_decoder_architecture: false,
  num_attention_heads: 71,
  num_kv_heads: 71,
  num_hidden_layers: 32,
};
export const FALCON_40B = {
  model_type: 'falcon',
  hidden_size: 8192,
  multi_query: true,
  new_decoder_architecture: true,
  num_attention_heads: 128,
  num_kv_heads: 8,
  num_hidden_layers: 60,
};
export const GEMMA_3_4B = {
  model_type: 'gemma3',
  vision_config: { hidden_size: 1152, num_attention_heads: 16, num_hidden_layers: 27 },
  text_config: { model_type: 'gemma3_text', hidden_size: 2560, num_hidden_layers: 34, sliding_window: 1024 },
};
export const GEMMA_3_12B = {
  model_type: 'gemma3',
  text_config: {
    model_type: 'gemma3_text',
    hidden_size: 3840,
    num_attention_heads: 16,
    num_hidden_layers: 48,
    num_key_value_heads: 8,
    sliding_window: 1024,
  },
};
export const GEMMA_3_1B = {
  model_type: 'gemma3_text',
  head_dim: 256,
  hidden_size: 1152,
  num_attention_heads: 4,
  num_hidden_layers: 26,
  num_key_value_heads: 1,
  sliding_window: 512,
  sliding_window_pattern: 6,
};
export const GEMMA_2_2B = {
  model_type: 'gemma2',
  head_dim: 256,
  hidden_size: 2304,
  num_attention_heads: 8,
  num_hidden_layers: 26,
  num_key_value_heads: 4,
  sliding_window: 4096,
};
export const MISTRAL_V01 = { ...LLAMA_3_8B, model_type: 'mistral', sliding_window: 4096 };
export const MISTRAL_V03 = { ...LLAMA_3_8B, model_type: 'mistral', sliding_window: null, head_dim: null };
export const GPT_OSS_20B = {
  model_type: 'gpt_oss',
  head_dim: 64,
  hidden_size: 2880,
  layer_types: Array.from({ length: 24 }, (_, i) => (i % 2 === 0 ? 'sliding_attention' : 'full_attention')),
  num_attention_heads: 64,
  num_hidden_layers: 24,
  num_key_value_heads: 8,
  sliding_window: 128,
};
export const QWEN2_5_7B = {
  model_type: 'qwen2',
  hidden_size: 3584,
  max_window_layers: 28,
  num_attention_heads: 28,
  num_hidden_layers: 28,
  num_key_value_heads: 4,
  sliding_window: 131072,
  use_sliding_window: false,
};
