// configValues.ts: fields of a config.json that a description reads must be what they are read as: a number in quotes would leave a
// model with the default of its class.
import { isRecord } from '../../device/options.ts';
import { show, type Fields } from '../../models/configFields.ts';
import type { DecoderFormat } from '../../models/families/decoderFormat.ts';
import { fail } from '../format/checkpointError.ts';

const ABOVE_ZERO = new Set([
  'rope_theta',
  'rotary_emb_base',
  'rope_local_base_freq',
  'rotary_pct',
  'partial_rotary_factor',
  'attn_logit_softcapping',
  'final_logit_softcapping',
  'query_pre_attn_scalar',
  'factor',
  'low_freq_factor',
  'high_freq_factor',
  'original_max_position_embeddings',
  'beta_fast',
  'beta_slow',
  'attention_factor',
]);

/** Of norms; 0 is one. */
const NOT_BELOW_ZERO = new Set(['rms_norm_eps', 'layer_norm_eps', 'layer_norm_epsilon']);

const FLAGS = new Set([
  'tie_word_embeddings',
  'attention_bias',
  'mlp_bias',
  'use_parallel_residual',
  'scale_attn_weights',
  'scale_attn_by_inverse_layer_idx',
  'use_sliding_window',
  'is_gated_act',
  'is_encoder_decoder',
  'scale_decoder_outputs',
  'truncate',
]);

/** Fields that only some families have, and what they may be in the others: null, or a value that changes nothing. */
const OF_SOME_FAMILIES: Readonly<Record<string, readonly unknown[]>> = {
  attn_logit_softcapping: [],
  final_logit_softcapping: [],
  query_pre_attn_scalar: [],
  attention_multiplier: [],
  embedding_multiplier: [1],
  residual_multiplier: [1],
  logits_scaling: [1],
  logit_scale: [1],
  clip_qkv: [],
  is_causal: [true],
  rope_interleaved: [false],
};

/**
 * Throws CheckpointError naming the first field that says that the model computes something that its family does not: one that only other
 * families read (`reads`: those of this one), or one of `only` with another value.
 */
export function checkOnly(
  config: Fields,
  { only = {}, reads = [] }: Pick<DecoderFormat, 'only' | 'reads'>,
  where: string,
): void {
  const others = Object.entries(OF_SOME_FAMILIES).filter(([name]) => !reads.includes(name));
  for (const [name, values] of [...others, ...Object.entries(only)]) {
    const value = config[name];
    if (value === undefined || value === null || values.includes(value)) continue;
    const expected = values.length === 0 ? 'none' : values.join(' or ');
    fail(
      `${where}: ${name} of ${show(value)} is not known for a model of type ${show(config['model_type'])}: expected ${expected}`,
    );
  }
}

/** Throws CheckpointError naming the first field, here or in an object of rotary positions, whose value is of another kind. */
export function checkValues(config: Fields, where: string): void {
  for (const [name, value] of Object.entries(config)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith('rope_') && isRecord(value)) checkNested(value, `${where}: ${name}`);
    const expected = expectedOf(name, value);
    if (expected) fail(`${where}: ${name}: expected ${expected}, got ${show(value)}`);
  }
}

/** Parameters of rotary positions, or those of each kind of layers. */
function checkNested(fields: Fields, where: string): void {
  checkValues(fields, where);
  for (const kind of ['full_attention', 'sliding_attention']) {
    const own = fields[kind];
    if (isRecord(own)) checkValues(own, `${where}: ${kind}`);
  }
}

function expectedOf(name: string, value: unknown): string | undefined {
  const isNumber = typeof value === 'number' && Number.isFinite(value);
  if (ABOVE_ZERO.has(name) && !(isNumber && value > 0)) return 'a number above 0';
  if (NOT_BELOW_ZERO.has(name) && !(isNumber && value >= 0)) return 'a number from 0 on';
  if (FLAGS.has(name) && typeof value !== 'boolean') return 'true or false';
  return undefined;
}
