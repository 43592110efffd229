// decoders.ts: the usual parts of decoder formats: Llama's names, which many took.
import type { Fields } from '../configFields.ts';
import type { DecoderFormat, OptionalTensors } from './decoderFormat.ts';
import { MODULE } from './family.ts';

const LAYER = `layers.${MODULE}`;

/** No biases, and no norm over heads. */
export const NO_EXTRAS: OptionalTensors = { qkvBias: false, oBias: false, mlpBias: false, qkNorm: false };

/** Biases of attention where `attention_bias` says so. */
export function attentionBias({ attention_bias: given }: Fields): OptionalTensors {
  return { ...NO_EXTRAS, qkvBias: given === true, oBias: given === true };
}

/** Those, and of the feed-forward network where `mlp_bias` says so. */
export function biases(config: Fields): OptionalTensors {
  return { ...attentionBias(config), mlpBias: config['mlp_bias'] === true };
}

/** Llama's own. */
export const LLAMA_DECODER = {
  embedding: 'embed_tokens.weight',
  finalNorm: 'norm.weight',
  norms: { attention: `${LAYER}.input_layernorm.weight`, mlp: `${LAYER}.post_attention_layernorm.weight` },
  mlp: {
    gate: `${LAYER}.mlp.gate_proj.weight`,
    up: `${LAYER}.mlp.up_proj.weight`,
    down: `${LAYER}.mlp.down_proj.weight`,
  },
  head: 'lm_head.weight',
  tied: false,
  norm: { kind: 'rms', fields: ['rms_norm_eps'], usualEps: 1e-6 },
  activation: { fields: ['hidden_act'], usual: 'silu' },
  has: biases,
} as const satisfies Omit<DecoderFormat, 'modelTypes'>;

/** The format of a decoder of Llama's names. */
export function llamaDecoder(
  modelTypes: readonly string[],
  others: Partial<DecoderFormat> = {},
): DecoderFormat {
  return { modelTypes, ...LLAMA_DECODER, ...others };
}

/** A norm over each head of q and k, and biases of attention where `attention_bias` says so. */
export function qkNorm(config: Fields): OptionalTensors {
  return { ...attentionBias(config), qkNorm: true };
}
