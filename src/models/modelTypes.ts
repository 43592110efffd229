// modelTypes.ts: what a config.json may leave out, by model type: the defaults of the classes that read it.
//
// From src/transformers/models/*/configuration_*.py of huggingface/transformers 5.18, and for types that it does not
// have from the configuration_*.py beside the weights. Types are without the "_text" that nested configs add.
import type { Fields } from './configFields.ts';

/** The name under which a type stands in these tables: a nested `text_config` calls "gemma3" "gemma3_text". */
export function tableName(modelType: string): string {
  return modelType.replace(/_text(_model)?$/, '');
}

const QWEN_WINDOW = { use_sliding_window: false, sliding_window: 4096, max_window_layers: 28 };

/** Fields that files of a type may leave out. */
export const TYPE_DEFAULTS: Readonly<Record<string, Fields>> = {
  bamba: { num_key_value_heads: 8 },
  bitnet: { num_key_value_heads: 5 },
  chameleon: { num_key_value_heads: 32 },
  cohere2: { sliding_window: 4096, sliding_window_pattern: 4 },
  cwm: { num_key_value_heads: 8, head_dim: 128, sliding_window: 8192, global_attn_every_n_layers: 4 },
  ernie4_5: { num_key_value_heads: 2, head_dim: 128 },
  ernie4_5_moe: { num_key_value_heads: 4 },
  exaone4: { num_key_value_heads: 32, sliding_window: 4096, sliding_window_pattern: 4 },
  afmoe: { head_dim: 128, sliding_window: 1024, global_attn_every_n_layers: 4 },
  falcon: { multi_query: true },
  falcon_h1: { num_key_value_heads: 8 },
  exaone_moe: { num_key_value_heads: 32, sliding_window: 4096, sliding_window_pattern: 4 },
  gemma: { num_key_value_heads: 16, head_dim: 256 },
  gemma2: { num_key_value_heads: 4, head_dim: 256, sliding_window: 4096, sliding_window_pattern: 2 },
  gemma3: {
    num_attention_heads: 8,
    num_key_value_heads: 4,
    head_dim: 256,
    sliding_window: 4096,
    sliding_window_pattern: 6,
  },
  gemma3n: {
    num_attention_heads: 8,
    num_key_value_heads: 2,
    head_dim: 256,
    sliding_window: 512,
    sliding_window_pattern: 5,
    num_kv_shared_layers: 15,
  },
  gemma4: {
    num_key_value_heads: 4,
    head_dim: 256,
    global_head_dim: 512,
    sliding_window: 512,
    sliding_window_pattern: 6,
  },
  glm: { num_key_value_heads: 2, head_dim: 128 },
  glm4: { num_key_value_heads: 2, head_dim: 128 },
  glm4_moe: { num_key_value_heads: 8 },
  gpt_bigcode: { multi_query: true },
  gpt_neo: { window_size: 256 },
  gpt_oss: { num_key_value_heads: 8, head_dim: 64, sliding_window: 128, sliding_window_pattern: 2 },
  granite_swa: { num_key_value_heads: 4, sliding_window: 128, global_attn_every_n_layers: 4 },
  helium: { num_key_value_heads: 20, head_dim: 128 },
  jamba: { num_key_value_heads: 8, attn_layer_period: 8, attn_layer_offset: 4 },
  lfm2: { num_key_value_heads: 8 },
  lfm2_moe: { num_key_value_heads: 8 },
  llama4: { num_key_value_heads: 8, head_dim: 128, attention_chunk_size: 8192, no_rope_layer_interval: 4 },
  minimax: { num_key_value_heads: 8 },
  minimax_m2: { num_key_value_heads: 8, head_dim: 128 },
  minimax_text_01: { num_key_value_heads: 8 },
  MiniMaxText01: { num_key_value_heads: 8 },
  ministral: { num_key_value_heads: 8, sliding_window: 4096 },
  ministral3: { num_key_value_heads: 8, head_dim: 128 },
  mistral: { num_key_value_heads: 8, sliding_window: 4096 },
  mixtral: { num_key_value_heads: 8 },
  mllama: { num_key_value_heads: 8, cross_attention_layers: [3, 8, 13, 18, 23, 28, 33, 38] },
  nemotron_h: { num_key_value_heads: 8, head_dim: 128 },
  olmo_hybrid: { full_attention_interval: 4 },
  olmo3: { sliding_window: 4096, sliding_window_pattern: 4 },
  phi4flash: { num_key_value_heads: 4, sliding_window: 2047, mb_per_layer: 2 },
  phimoe: { num_key_value_heads: 8 },
  qwen2: { num_key_value_heads: 32, ...QWEN_WINDOW },
  qwen2_moe: { num_key_value_heads: 16, ...QWEN_WINDOW },
  qwen2_vl: { num_key_value_heads: 8, ...QWEN_WINDOW, max_window_layers: 80 },
  qwen2_5_vl: { num_key_value_heads: 8, ...QWEN_WINDOW, max_window_layers: 80 },
  qwen3: { num_key_value_heads: 32, head_dim: 128, ...QWEN_WINDOW },
  qwen3_moe: { num_key_value_heads: 4, ...QWEN_WINDOW },
  qwen3_next: { num_key_value_heads: 2, head_dim: 256, full_attention_interval: 4 },
  qwen3_5: { num_key_value_heads: 4, head_dim: 256, full_attention_interval: 4 },
  qwen3_5_moe: { num_key_value_heads: 2, head_dim: 256, full_attention_interval: 4 },
  qwen3_vl: { num_key_value_heads: 32, head_dim: 128 },
  qwen3_vl_moe: { num_key_value_heads: 16 },
  recurrent_gemma: { block_types: ['recurrent', 'recurrent', 'attention'], attention_window_size: 2048 },
  seed_oss: { num_key_value_heads: 8, head_dim: 128 },
  smollm3: { num_key_value_heads: 4, use_sliding_window: false, no_rope_layer_interval: 4 },
  stablelm: { num_key_value_heads: 32 },
  step3: { num_attention_groups: 1 },
  starcoder2: { num_key_value_heads: 2 },
  vaultgemma: { num_key_value_heads: 4, head_dim: 256, sliding_window: 4096, sliding_window_pattern: 2 },
  whisper: { is_encoder_decoder: true, max_source_positions: 1500 },
  zamba: { num_key_value_heads: 16, attn_layer_period: 6, attn_layer_offset: 4 },
};

const SEVEN_BILLION = { hidden_size: 4096, num_attention_heads: 32, num_hidden_layers: 32 };

/** Sizes that a nested config may leave out: transformers writes of one only what differs from its class's defaults. */
export const NESTED_DEFAULTS: Readonly<Record<string, Fields>> = {
  gemma: { hidden_size: 3072, num_attention_heads: 16, num_hidden_layers: 28 },
  gemma2: { hidden_size: 2304, num_attention_heads: 8, num_hidden_layers: 26 },
  gemma3: { hidden_size: 2304, num_hidden_layers: 26 },
  llama: SEVEN_BILLION,
  mistral: SEVEN_BILLION,
  mixtral: SEVEN_BILLION,
  qwen2: SEVEN_BILLION,
  qwen3: SEVEN_BILLION,
};

// Classes that give each query head a KV head when the number of KV heads is left out, or that know no other attention.
const MHA_TYPES: ReadonlySet<string> = new Set(
  [
    'llama afmoe apertus arcee arctic aria cohere cohere2 deepseek diffllama doge exaone flex_olmo granite granitemoe',
    'granitemoehybrid granitemoeshared hunyuan hunyuan_v1_dense hunyuan_v1_moe hyperclovax internlm2 minicpm moshi',
    'nanochat nemotron olmo olmo2 olmo3 olmo_hybrid olmoe phi phi3 recurrent_gemma zamba2',
    'baichuan biogpt blenderbot bloom chatglm codegen falcon glm-2021 gpt_bigcode gpt_neo gpt_neox gpt_neox_japanese gpt2 gptj',
    'imagegpt internlm mpt nanogpt openai-gpt opt persimmon qwen RefinedWeb RefinedWebModel xglm',
    'bart bigbird_pegasus blenderbot-small fsmt led m2m_100 marian mbart mt5 mvp pegasus plbart switch_transformers t5',
    'umt5 whisper',
  ].flatMap((line) => line.split(' ')),
);

// Some of them generate text too, where a file says `is_decoder`.
const ENCODERS: ReadonlySet<string> = new Set(
  [
    'albert bert big_bird camembert convbert data2vec-text deberta deberta-v2 distilbert electra ernie esm eurobert',
    'flaubert fnet funnel gte ibert jina_embeddings_v3 layoutlm layoutlmv2 layoutlmv3 longformer luke markuplm',
    'megatron-bert mobilebert modernbert mpnet mra nomic_bert nystromformer rembert roberta roberta-prelayernorm',
    'roc_bert roformer splinter squeezebert tapas xlm xlm-roberta xlm-roberta-xl xmod yoso',
    'beit clip_text_model clip_vision_model deit dinov2 dinov3_vit hubert siglip_vision_model vit wav2vec2 wavlm',
  ].flatMap((line) => line.split(' ')),
);

const WITHOUT_ATTENTION: ReadonlySet<string> = new Set(['falcon_mamba', 'mamba', 'mamba2', 'rwkv', 'xlstm']);

const MLA: ReadonlySet<string> = new Set(
  [
    'axk1 deepseek_v2 deepseek_v3 deepseek_v32 deepseek_v4 glm4_moe_lite glm_moe_dsa kimi_k2 kimi_k25 kimi_linear',
    'longcat_flash minicpm3 mistral4 youtu',
  ].flatMap((line) => line.split(' ')),
);

/** Types whose window, where there is one, is that of every layer. */
export const ALL_LOCAL: ReadonlySet<string> = new Set(
  'ministral ministral3 mistral mixtral moshi phi3 phimoe starcoder2'.split(' '),
);

/** Whether a file of this type that gives no number of KV heads has one for each query head. */
export function isMhaByDefault(type: string): boolean {
  return MHA_TYPES.has(type) || ENCODERS.has(type);
}

/** Whether the tables know the class of a type, and so what a number that is null means: one KV head for each query head. */
export function isKnown(type: string): boolean {
  return isMhaByDefault(type) || Object.hasOwn(TYPE_DEFAULTS, type);
}

/** Why a model of this type has no cache of K and V heads; undefined where it may have one. */
export function whyNoCache(type: string, fields: Fields): string | undefined {
  if (MLA.has(type))
    return `${type} has multi-head latent attention, which stores one compressed vector per token instead of K and V heads`;
  if (WITHOUT_ATTENTION.has(type)) return `${type} has no attention, and so no KV cache`;
  const decodes = fields['is_decoder'] === true || fields['is_encoder_decoder'] === true;
  if (ENCODERS.has(type) && !decodes) return `${type} is an encoder and keeps no KV cache`;
  if (fields['use_bidirectional_attention'] === true || fields['use_bidirectional_attention'] === 'all')
    return 'a model with "use_bidirectional_attention" is an encoder and keeps no KV cache';
  return undefined;
}
