// phi.ts: Phi. Phi-3's projections are fused; Phi-4-mini-flash has state spaces, windows and layers that share a cache.
import { optional, type ConfigFile } from '../configFields.ts';
import { attendingAt, localAt, type LayerRule } from '../layerRules.ts';
import { SHAPE_LIMITS } from '../limits.ts';
import { LLAMA_DECODER, llamaDecoder, NO_EXTRAS } from './decoders.ts';
import { MODULE, type Family, type TypeRules, type WindowRule, type WindowSizes } from './family.ts';
import { fused, IN_CONFIG, LLAMA, ROTARY, ropeNumber, selfAttention } from './format.ts';
import { MHA } from './types.ts';

const PHI4_FLASH: TypeRules = {
  defaults: { num_key_value_heads: 4, sliding_window: 2047, mb_per_layer: 2 },
  attending: mambaPeriod,
  windows: firstHalf,
  firstShared: (layers) => Math.floor(layers / 2) + 2,
};

/** The first of each n layers is a state space. */
function mambaPeriod(file: ConfigFile, layers: number): LayerRule | undefined {
  const name = 'mb_per_layer';
  const n = optional(file, [name], SHAPE_LIMITS.layers, 0)?.value;
  return n ? attendingAt(name, layers, (layer) => layer % n !== 0) : undefined;
}

/** Every other layer of the first half has the window. */
function firstHalf(
  { modelType }: ConfigFile,
  layers: number,
  { hasWindow }: WindowSizes,
): WindowRule | undefined {
  if (!hasWindow) return undefined;
  const isLocal = (layer: number) => layer < Math.floor(layers / 2) && layer % 2 === 1;
  return { ...localAt('sliding_window', layers, isLocal), why: `as in every ${modelType}` };
}

export const PHI: Family = {
  name: 'phi',
  types: {
    phi: MHA,
    phi3: { isMha: true, isAllLocal: true },
    // Its sparse layers read blocks of a cache that keeps every token.
    phi3small: { computed: /^(blocksparse_.*|dense_attention_every_n_layers)$/ },
    phi4flash: PHI4_FLASH,
    phimoe: { defaults: { num_key_value_heads: 8 }, isAllLocal: true },
  },
  decoders: [
    llamaDecoder(['phi3'], {
      mlp: { gateUp: `layers.${MODULE}.mlp.gate_up_proj.weight`, down: LLAMA_DECODER.mlp.down },
      norm: { ...LLAMA_DECODER.norm, usualEps: 1e-5 },
      has: () => NO_EXTRAS,
      defaults: { original_max_position_embeddings: 4096 },
      localLayers: 'all',
    }),
  ],
  formats: [
    {
      name: 'phi3',
      modelTypes: ['phi3'],
      modules: [
        selfAttention(LLAMA, {
          parts: fused(LLAMA, ['qkv_proj', 'o_proj'], 'qkv', false),
          unchanged: ['o_proj.bias', 'rotary_emb.inv_freq'],
        }),
      ],
      ...IN_CONFIG,
      ...ROTARY,
      rotaryShare: (config) => ropeNumber(config, 'partial_rotary_factor') ?? 1,
    },
  ],
};
