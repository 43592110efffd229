// decoders.ts: the usual parts of decoder formats: Llama's names, which many took.
import type { DecoderFormat } from './decoderFormat.ts';
import { MODULE } from './family.ts';

const LAYER = `layers.${MODULE}`;

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
} as const satisfies Omit<DecoderFormat, 'modelTypes'>;

/** The format of a decoder of Llama's names. */
export function llamaDecoder(
  modelTypes: readonly string[],
  others: Partial<DecoderFormat> = {},
): DecoderFormat {
  return { modelTypes, ...LLAMA_DECODER, ...others };
}

/** Biases everywhere, as GPT-2 and GPT-NeoX have them. */
export const ALL_BIASES = { qkvBias: true, oBias: true, mlpBias: true, qkNorm: false } as const;
/** A norm over each head of q and k, and no biases. */
export const QK_NORM = { qkvBias: false, oBias: false, mlpBias: false, qkNorm: true } as const;
