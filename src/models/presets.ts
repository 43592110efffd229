// presets.ts: the attention shapes of published models, and finding one by name.
import { editDistance } from '../device/editDistance.ts';
import { GqaError } from '../device/errors.ts';
import { checkText } from '../device/options.ts';
import type { KvLayers } from './kvLayers.ts';

/** The attention shape of a decoder: all that the size of its KV cache depends on, and where the numbers come from. */
export interface ModelShape {
  readonly name: string;
  /** All layers, those without attention included. */
  readonly layers: number;
  /** Width of the residual stream. Not needed for the cache, and not numQHeads * headDim in many models. */
  readonly hiddenSize: number;
  readonly numQHeads: number;
  /** KV heads of a layer: the most that any has, where layers differ. */
  readonly numKvHeads: number;
  readonly headDim: number;
  /** What the layers keep of K and V, in groups of layers that keep the same. Sizes are computed from these alone. */
  readonly kvLayers: readonly KvLayers[];
  readonly source: string;
}

const LITGPT = 'Lightning-AI/litgpt, litgpt/config.py';
const T5X = 'google-research/t5x, t5_1_1 (self-attention of the decoder)';
const T5X_GQA = 'google-research/t5x, t5_1_1/xxl.gin with the KV heads of the GQA paper, arXiv 2305.13245';
const MQA_PAPER = 'the MQA paper, arXiv 1911.02150, section 4 (self-attention of the decoder)';
const CONFIG = 'config.json of the model';
const GPT_OSS = 'openai/gpt-oss, gpt_oss/torch/model.py';
const NANOCHAT = 'karpathy/nanochat, nanochat/gpt.py with window pattern SSSL at 2048 tokens';
const GPT_2 = 'openai/gpt-2, src/model.py';

const WITH_CROSS_ATTENTION = [T5X, T5X_GQA, MQA_PAPER];

type Row = readonly [
  name: string,
  layers: number,
  hiddenSize: number,
  numQHeads: number,
  numKvHeads: number,
  headDim: number,
  source: string,
  localLayers?: number,
  window?: number,
];

const ROWS: readonly Row[] = [
  ['t5-v1.1-large', 24, 1024, 16, 16, 64, T5X],
  ['t5-v1.1-xxl', 24, 4096, 64, 64, 64, T5X],
  ['t5-xxl-gqa-8', 24, 4096, 64, 8, 64, T5X_GQA],
  ['t5-xxl-mqa', 24, 4096, 64, 1, 64, T5X_GQA],
  ['shazeer-wmt-mha', 6, 1024, 8, 8, 128, MQA_PAPER],
  ['llama-2-7b', 32, 4096, 32, 32, 128, LITGPT],
  ['llama-2-13b', 40, 5120, 40, 40, 128, LITGPT],
  ['llama-2-70b', 80, 8192, 64, 8, 128, LITGPT],
  ['llama-3-8b', 32, 4096, 32, 8, 128, LITGPT],
  ['llama-3.1-8b', 32, 4096, 32, 8, 128, LITGPT],
  ['llama-3-70b', 80, 8192, 64, 8, 128, LITGPT],
  ['llama-3.1-70b', 80, 8192, 64, 8, 128, LITGPT],
  ['llama-3.1-405b', 126, 16384, 128, 8, 128, LITGPT],
  ['llama-3.2-1b', 16, 2048, 32, 8, 64, LITGPT],
  ['llama-3.2-3b', 28, 3072, 24, 8, 128, LITGPT],
  ['tinyllama-1.1b', 22, 2048, 32, 4, 64, LITGPT],
  ['mistral-7b-v0.1', 32, 4096, 32, 8, 128, LITGPT, 32, 4096],
  ['mistral-7b-v0.3', 32, 4096, 32, 8, 128, LITGPT],
  ['mixtral-8x7b', 32, 4096, 32, 8, 128, LITGPT],
  ['falcon-7b', 32, 4544, 71, 1, 64, LITGPT],
  ['gemma-2b', 18, 2048, 8, 1, 256, LITGPT],
  ['gemma-2-2b', 26, 2304, 8, 4, 256, LITGPT, 13, 4096],
  ['gemma-2-9b', 42, 3584, 16, 8, 256, LITGPT, 21, 4096],
  ['gemma-2-27b', 46, 4608, 32, 16, 128, LITGPT, 23, 4096],
  ['gemma-3-270m', 18, 640, 4, 1, 256, CONFIG, 15, 512],
  ['gemma-3-1b', 26, 1152, 4, 1, 256, LITGPT, 22, 512],
  ['gemma-3-4b', 34, 2560, 8, 4, 256, LITGPT, 29, 1024],
  ['gemma-3-12b', 48, 3840, 16, 8, 256, LITGPT, 40, 1024],
  ['gemma-3-27b', 62, 5376, 32, 16, 128, LITGPT, 52, 1024],
  ['qwen2.5-0.5b', 24, 896, 14, 2, 64, LITGPT],
  ['qwen2.5-1.5b', 28, 1536, 12, 2, 128, LITGPT],
  ['qwen2.5-3b', 36, 2048, 16, 2, 128, LITGPT],
  ['qwen2.5-7b', 28, 3584, 28, 4, 128, LITGPT],
  ['qwen2.5-14b', 48, 5120, 40, 8, 128, LITGPT],
  ['qwen2.5-72b', 80, 8192, 64, 8, 128, LITGPT],
  ['qwen3-0.6b', 28, 1024, 16, 8, 128, LITGPT],
  ['qwen3-1.7b', 28, 2048, 16, 8, 128, LITGPT],
  ['qwen3-4b', 36, 2560, 32, 8, 128, LITGPT],
  ['qwen3-8b', 36, 4096, 32, 8, 128, LITGPT],
  ['qwen3-14b', 40, 5120, 40, 8, 128, LITGPT],
  ['qwen3-32b', 64, 5120, 64, 8, 128, LITGPT],
  ['qwen3-30b-a3b', 48, 2048, 32, 4, 128, LITGPT],
  ['qwen3-235b-a22b', 94, 4096, 64, 4, 128, LITGPT],
  ['chatglm2-6b', 28, 4096, 32, 2, 128, CONFIG],
  ['phi-3-mini-4k', 32, 3072, 32, 32, 96, LITGPT, 32, 2048],
  ['phi-4', 40, 5120, 40, 10, 128, LITGPT],
  ['gpt-oss-20b', 24, 2880, 64, 8, 64, GPT_OSS, 12, 128],
  ['gpt-oss-120b', 36, 2880, 64, 8, 64, GPT_OSS, 18, 128],
  ['smollm2-135m', 30, 576, 9, 3, 64, LITGPT],
  ['smollm2-360m', 32, 960, 15, 5, 64, LITGPT],
  ['smollm2-1.7b', 24, 2048, 32, 32, 64, LITGPT],
  ['nanochat-d12', 12, 768, 6, 6, 128, NANOCHAT, 9, 512],
  ['nanochat-d20', 20, 1280, 10, 10, 128, NANOCHAT, 15, 512],
  ['nanochat-d32', 32, 2048, 16, 16, 128, NANOCHAT, 24, 512],
  ['pythia-160m', 12, 768, 12, 12, 64, LITGPT],
  ['gpt-2', 12, 768, 12, 12, 64, GPT_2],
];

/** Every preset, in the order of `gqa kv --list`. Names are lower case. */
export const PRESETS: readonly ModelShape[] = ROWS.map(
  ([name, layers, hiddenSize, numQHeads, numKvHeads, headDim, source, localLayers = 0, window = 0]) => ({
    name,
    layers,
    hiddenSize,
    numQHeads,
    numKvHeads,
    headDim,
    kvLayers: kvLayersOf({ layers, numKvHeads, headDim, localLayers, window, source }),
    source,
  }),
);

function kvLayersOf(row: {
  layers: number;
  numKvHeads: number;
  headDim: number;
  localLayers: number;
  window: number;
  source: string;
}): KvLayers[] {
  const heads = { numKvHeads: row.numKvHeads, headDim: row.headDim };
  const groups: KvLayers[] = [
    { kind: 'global', count: row.layers - row.localLayers, ...heads },
    { kind: 'local', count: row.localLayers, ...heads, window: row.window },
    { kind: 'cross', count: WITH_CROSS_ATTENTION.includes(row.source) ? row.layers : 0, ...heads },
  ];
  return groups.filter(({ count }) => count > 0);
}

/** Whether `id` names a preset; upper and lower case are the same. */
export function isPreset(id: string): boolean {
  checkText('isPreset: id', id);
  return PRESETS.some((preset) => preset.name === id.toLowerCase());
}

/** The preset called `id`, upper and lower case being the same. An unknown one is a `GqaError` that lists the nearest names. */
export function findPreset(id: string): ModelShape {
  checkText('findPreset: id', id);
  const preset = PRESETS.find(({ name }) => name === id.toLowerCase());
  if (!preset) {
    throw new GqaError(
      'unknown-preset',
      `findPreset: expected the name of a preset, got "${id}"; nearest: ${nearestPresets(id).join(', ')}`,
    );
  }
  return preset;
}

const NEAREST = 4;

/** The names of the presets that `id` most likely meant, the best first. An owner in front ("Qwen/Qwen3-4B") is ignored. */
export function nearestPresets(id: string): string[] {
  checkText('nearestPresets: id', id);
  const wanted = id.toLowerCase().replace(/^.*\//, '');
  const scored = PRESETS.map(({ name }) => ({ name, slips: slips(wanted, name) }));
  return scored
    .toSorted((a, b) => a.slips - b.slips)
    .slice(0, NEAREST)
    .map(({ name }) => name);
}

/** Slips from `a` to `b`; a name that only goes on after `a` counts as one. */
function slips(a: string, b: string): number {
  if (a === b) return 0;
  return b.startsWith(a) ? 1 : editDistance(a, b);
}
