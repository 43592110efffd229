// plain.ts: families of which only the defaults are known: what a config.json without a number of KV heads means.
import type { Family, TypeRules } from './family.ts';
import { familiesOf, MHA } from './types.ts';

const TYPES: Readonly<Record<string, TypeRules>> = {
  bitnet: { defaults: { num_key_value_heads: 5 } },
  chameleon: { defaults: { num_key_value_heads: 32 } },
  cwm: {
    defaults: { num_key_value_heads: 8, head_dim: 128, sliding_window: 8192, global_attn_every_n_layers: 4 },
  },
  helium: { defaults: { num_key_value_heads: 20, head_dim: 128 } },
  seed_oss: { defaults: { num_key_value_heads: 8, head_dim: 128 } },
  stablelm: { defaults: { num_key_value_heads: 32 } },
};

// Classes that give each query head a KV head when the number of KV heads is left out, or that know no other attention.
const DECODERS =
  'apertus arcee arctic aria biogpt blenderbot diffllama doge hyperclovax mpt opt persimmon xglm';
const ENCODER_DECODERS =
  'bart bigbird_pegasus blenderbot-small fsmt led m2m_100 marian mbart mvp pegasus plbart';

export const PLAIN: readonly Family[] = [
  ...Object.entries(TYPES).flatMap(([type, rules]) => familiesOf(type, rules)),
  ...familiesOf(`${DECODERS} ${ENCODER_DECODERS}`, MHA),
];
