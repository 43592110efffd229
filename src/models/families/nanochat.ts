// nanochat.ts: nanochat, and its port to huggingface/transformers: q and k have norms without weights.
import type { Fields } from '../configFields.ts';
import { attentionBias, LLAMA_DECODER, llamaDecoder } from './decoders.ts';
import { MODULE, type Family } from './family.ts';
import type { PartSpec } from './moduleSpec.ts';
import { IN_CONFIG, LLAMA, LLAMA_PARTS, ROTARY, selfAttention, separate } from './format.ts';

const LAYER = `transformer.h.${MODULE}.attn`;

/** In every other layer a table adds to each KV head's value, weighed by a gate for each KV head. */
const VALUE_EMBEDDINGS: readonly PartSpec[] = [
  {
    name: `${LAYER}.ve_gate.weight`,
    order: 'v',
    axis: 0,
    rows: 'one',
    other: 'any',
    optional: true,
  },
  {
    name: `value_embeds.${MODULE}.weight`,
    order: 'v',
    axis: 1,
    rows: 'headDim',
    other: 'any',
    optional: true,
  },
];

/** Its own config.json, which writes no model type. */
function isNative({ model_type, sequence_len, n_kv_head }: Fields): boolean {
  const isTyped = typeof model_type === 'string' && model_type !== '';
  return !isTyped && typeof sequence_len === 'number' && typeof n_kv_head === 'number';
}

export const NANOCHAT: Family = {
  name: 'nanochat',
  decoders: [
    llamaDecoder(['nanochat'], {
      mlp: { up: `layers.${MODULE}.mlp.fc1.weight`, down: `layers.${MODULE}.mlp.fc2.weight` },
      norms: {},
      norm: { ...LLAMA_DECODER.norm, bare: true, afterEmbedding: true },
      activation: { fields: ['hidden_act'], usual: 'relu2' },
      turnsBack: true,
      defaults: { final_logit_softcapping: 15 },
      reads: ['final_logit_softcapping'],
      has: attentionBias,
      localLayers: 'none',
      when: (config) => !isNative(config),
    }),
  ],
  types: { nanochat: { isMha: true, isOf: isNative } },
  formats: [
    {
      // The port has Llama's names.
      name: 'nanochat-hf',
      modelTypes: ['nanochat'],
      modules: [selfAttention(LLAMA, { parts: separate(LLAMA, LLAMA_PARTS), unchanged: ['o_proj.bias'] })],
      ...IN_CONFIG,
      ...ROTARY,
      plainQkNorm: true,
    },
    {
      name: 'nanochat',
      modelTypes: [],
      modules: [
        selfAttention(LAYER, {
          parts: [...separate(LAYER, ['c_q', 'c_k', 'c_v', 'c_proj']), ...VALUE_EMBEDDINGS],
        }),
      ],
      ...IN_CONFIG,
      kvHeadsField: 'n_kv_head',
      readsHeadDim: false,
      when: isNative,
      ...ROTARY,
      usualTheta: 100_000,
      // q and k are multiplied by 1.2 each.
      scale: (_, headDim) => 1.44 / Math.sqrt(headDim),
      plainQkNorm: true,
    },
  ],
};
