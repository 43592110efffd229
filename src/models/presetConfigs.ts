// presetConfigs.ts: config.json of the presets that are known as whole models: what their shape says, and the sizes besides.
import { findPreset, PRESETS, type ModelShape } from './presets.ts';

interface Sizes {
  readonly type: string;
  /** Width of the feed-forward network. */
  readonly width: number;
  readonly vocab: number;
  readonly tied: boolean;
}

type Row = readonly [name: string, type: string, width: number, vocab: number, tied?: 'tied'];

// From the config.json files of the models.
const ROWS: readonly Row[] = [
  ['llama-2-7b', 'llama', 11_008, 32_000],
  ['llama-2-13b', 'llama', 13_824, 32_000],
  ['llama-2-70b', 'llama', 28_672, 32_000],
  ['llama-3-8b', 'llama', 14_336, 128_256],
  ['llama-3.1-8b', 'llama', 14_336, 128_256],
  ['llama-3-70b', 'llama', 28_672, 128_256],
  ['llama-3.1-70b', 'llama', 28_672, 128_256],
  ['llama-3.1-405b', 'llama', 53_248, 128_256],
  ['llama-3.2-1b', 'llama', 8_192, 128_256, 'tied'],
  ['llama-3.2-3b', 'llama', 8_192, 128_256, 'tied'],
  ['tinyllama-1.1b', 'llama', 5_632, 32_000],
  ['smollm2-135m', 'llama', 1_536, 49_152, 'tied'],
  ['smollm2-360m', 'llama', 2_560, 49_152, 'tied'],
  ['smollm2-1.7b', 'llama', 8_192, 49_152, 'tied'],
  ['mistral-7b-v0.1', 'mistral', 14_336, 32_000],
  ['mistral-7b-v0.3', 'mistral', 14_336, 32_768],
  ['gemma-2b', 'gemma', 16_384, 256_000, 'tied'],
  ['gemma-2-2b', 'gemma2', 9_216, 256_000, 'tied'],
  ['gemma-2-9b', 'gemma2', 14_336, 256_000, 'tied'],
  ['gemma-2-27b', 'gemma2', 36_864, 256_000, 'tied'],
  ['gemma-3-270m', 'gemma3_text', 2_048, 262_144, 'tied'],
  ['gemma-3-1b', 'gemma3_text', 6_912, 262_144, 'tied'],
  ['gemma-3-4b', 'gemma3_text', 10_240, 262_208, 'tied'],
  ['gemma-3-12b', 'gemma3_text', 15_360, 262_208, 'tied'],
  ['gemma-3-27b', 'gemma3_text', 21_504, 262_208, 'tied'],
  ['qwen2.5-0.5b', 'qwen2', 4_864, 151_936, 'tied'],
  ['qwen2.5-1.5b', 'qwen2', 8_960, 151_936, 'tied'],
  ['qwen2.5-3b', 'qwen2', 11_008, 151_936, 'tied'],
  ['qwen2.5-7b', 'qwen2', 18_944, 152_064],
  ['qwen2.5-14b', 'qwen2', 13_824, 152_064],
  ['qwen2.5-72b', 'qwen2', 29_568, 152_064],
  ['qwen3-0.6b', 'qwen3', 3_072, 151_936, 'tied'],
  ['qwen3-1.7b', 'qwen3', 6_144, 151_936, 'tied'],
  ['qwen3-4b', 'qwen3', 9_728, 151_936, 'tied'],
  ['qwen3-8b', 'qwen3', 12_288, 151_936],
  ['qwen3-14b', 'qwen3', 17_408, 151_936],
  ['qwen3-32b', 'qwen3', 25_600, 151_936],
  ['phi-3-mini-4k', 'phi3', 8_192, 32_064],
  ['phi-4', 'phi3', 17_920, 100_352],
  ['pythia-160m', 'gpt_neox', 3_072, 50_304],
  ['gpt-2', 'gpt2', 3_072, 50_257, 'tied'],
  ['t5-v1.1-large', 't5', 2_816, 32_128],
  ['t5-v1.1-xxl', 't5', 10_240, 32_128],
  ['t5-xxl-gqa-8', 't5', 10_240, 32_128],
  ['t5-xxl-mqa', 't5', 10_240, 32_128],
];

const SIZES: ReadonlyMap<string, Sizes> = new Map(
  ROWS.map(([name, type, width, vocab, tied]) => [name, { type, width, vocab, tied: tied !== undefined }]),
);

/** Names of the presets that are known as whole models. */
export const WHOLE_PRESETS: readonly string[] = PRESETS.map(({ name }) => name).filter((name) =>
  SIZES.has(name),
);

/** The fields of config.json that say what a preset computes; undefined where no more than its attention is known. */
export function configOf(name: string): Record<string, unknown> | undefined {
  const preset = findPreset(name);
  const sizes = SIZES.get(preset.name);
  return sizes && { ...shapeFields(preset, sizes), ...windowFields(preset, sizes), ...positionFields(sizes) };
}

function shapeFields({ layers, hiddenSize, numQHeads, numKvHeads, headDim }: ModelShape, sizes: Sizes) {
  const { type, width, vocab, tied } = sizes;
  const common = { model_type: type, vocab_size: vocab, tie_word_embeddings: tied };
  const grouped = { num_key_value_heads: numKvHeads };
  if (type === 't5') {
    const stacks = { num_layers: layers, num_decoder_layers: layers, feed_forward_proj: 'gated-gelu' };
    const heads = { num_heads: numQHeads, d_kv: headDim, ...(numKvHeads !== numQHeads && grouped) };
    return { ...common, ...stacks, ...heads, d_model: hiddenSize, d_ff: width, is_encoder_decoder: true };
  }
  if (type === 'gpt2')
    return { ...common, n_inner: width, n_layer: layers, n_embd: hiddenSize, n_head: numQHeads };
  const of = { num_hidden_layers: layers, hidden_size: hiddenSize, num_attention_heads: numQHeads };
  const own = type === 'gpt_neox' ? {} : { ...grouped, head_dim: headDim };
  return { ...common, ...of, ...own, intermediate_size: width };
}

/** How windows are said to be where all layers have them, or some by the family's own rule. */
function windowFields({ kvLayers }: ModelShape, { type }: Sizes) {
  const window = kvLayers.find(({ kind }) => kind === 'local')?.window;
  return type === 'mistral' || window !== undefined ? { sliding_window: window ?? null } : {};
}

function positionFields({ type }: Sizes) {
  return type === 'gpt2' ? { n_positions: 1024 } : {};
}
