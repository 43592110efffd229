// describeModel.test.ts: a config as older and newer versions of transformers write it describes the same model.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeModel } from '../../../src/checkpoint/model/describeModel.ts';
import type { ModelSpec } from '../../../src/models/decoder/spec.ts';
import { PREFIX_BYTES, parseHeader, readHeaderLength } from '../../../src/checkpoint/format/safetensors.ts';

type Config = Record<string, unknown>;

/** The description of a family's fixture, its config changed. */
function described(family: string, change: (config: Config) => Config = (config) => config): unknown {
  const folder = fileURLToPath(new URL(`families/${family}`, import.meta.url));
  const bytes = readFileSync(join(folder, 'model.safetensors'));
  const length = readHeaderLength(bytes.subarray(0, PREFIX_BYTES), bytes.length, family);
  const { tensors } = parseHeader(bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + length), bytes.length, family);
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Config;
  return JSON.parse(JSON.stringify(describeModel(tensors, change(config), family)));
}

const without = (config: Config, ...names: string[]): Config =>
  Object.fromEntries(Object.entries(config).filter(([name]) => !names.includes(name)));

test.each<[string, string, (config: Config) => Config]>([
  [
    'llama',
    'rope_parameters in place of rope_theta',
    (config) => ({
      ...without(config, 'rope_theta', 'rope_scaling'),
      rope_parameters: { rope_type: 'default', rope_theta: 10000 },
    }),
  ],
  [
    'llama3',
    'rope_parameters with the scaling, beside a rope_theta that a loader put back',
    (config) => ({
      ...without(config, 'rope_scaling'),
      rope_theta: 10000,
      rope_parameters: { ...(config['rope_scaling'] as object), rope_theta: 500 },
    }),
  ],
  [
    'gemma3',
    'rope_parameters for each kind of layers, and layer_types',
    (config) => ({
      ...without(config, 'rope_theta', 'rope_scaling', 'rope_local_base_freq', 'sliding_window_pattern'),
      layer_types: [0, 1, 2, 3].map((layer) =>
        (layer + 1) % 3 === 0 ? 'full_attention' : 'sliding_attention',
      ),
      rope_parameters: {
        full_attention: { rope_type: 'linear', factor: 8, rope_theta: 100000 },
        sliding_attention: { rope_type: 'default', rope_theta: 1000 },
      },
    }),
  ],
  [
    'gemma2',
    'layer_types',
    (config) => ({
      ...config,
      layer_types: [0, 1, 2, 3].map((layer) => (layer % 2 === 0 ? 'sliding_attention' : 'full_attention')),
    }),
  ],
  [
    'llama3',
    'the older word for a kind of scaling',
    (config) => {
      const { rope_type: type, ...rest } = config['rope_scaling'] as Config;
      return { ...config, rope_scaling: { ...rest, type } };
    },
  ],
  [
    'gpt_neox',
    'newer names for a share',
    (config) => ({
      ...without(config, 'rotary_pct', 'rotary_emb_base'),
      rope_parameters: { rope_type: 'default', rope_theta: 10000, partial_rotary_factor: 0.4 },
    }),
  ],
  [
    't5_v10',
    'what newer versions write of a head that is the embedding',
    (config) => ({ ...config, scale_decoder_outputs: true }),
  ],
  [
    't5_v11',
    'what newer versions write of a head of its own',
    (config) => ({ ...config, tie_word_embeddings: true, scale_decoder_outputs: false }),
  ],
  [
    't5_v10',
    'what its class has by default',
    (config) =>
      without(
        config,
        'feed_forward_proj',
        'dense_act_fn',
        'is_gated_act',
        'tie_word_embeddings',
        'decoder_start_token_id',
        'layer_norm_epsilon',
        'num_decoder_layers',
      ),
  ],
  [
    't5_v11',
    'no names of the activation beside its own',
    (config) => without(config, 'dense_act_fn', 'is_gated_act'),
  ],
  ['smollm3', 'an interval in place of a list', (config) => without(config, 'no_rope_layers')],
])('%s: %s', (family, _, change) => {
  expect(described(family, change)).toEqual(described(family));
});

test('what a file says is in the description', () => {
  const gemma3 = described('gemma3') as ModelSpec;
  expect(gemma3.layers.map(({ attention }) => [attention.window, attention.rope!.base])).toEqual([
    [7, 1000],
    [7, 1000],
    [undefined, 100000],
    [7, 1000],
  ]);
  const smollm3 = described('smollm3') as ModelSpec;
  expect(smollm3.layers.map(({ attention }) => attention.rope !== undefined)).toEqual([
    true,
    true,
    true,
    false,
  ]);
  const gemma2 = described('gemma2', (config) => ({
    ...without(config, 'final_logit_softcapping'),
    attn_logit_softcapping: null,
  })) as ModelSpec;
  const t5 = described('t5_v10') as ModelSpec;
  expect([t5.head.projection, t5.head.scale, t5.encoder!.startToken]).toEqual([undefined, 32 ** -0.5, 0]);
  expect(
    t5.layers.map(({ attention, cross }) => [
      attention.scale,
      attention.relativeBias!.bothWays,
      cross!.attention.relativeBias,
    ]),
  ).toEqual([
    [1, false, undefined],
    [1, false, undefined],
  ]);
  // Left out is the class's default, null is none.
  expect([gemma2.head.softcap, gemma2.layers[0]!.attention.softcap]).toEqual([30, undefined]);
  expect(gemma2.layers[0]!.attention.scale).toBeCloseTo(17 ** -0.5, 12);
});

// A loader that passes over such a value computes with the default of the model's class, and says nothing.
test.each<[string, Config, RegExp]>([
  [
    'llama',
    { rope_theta: '500000' },
    /^llama\/config.json: rope_theta: expected a number above 0, got "500000"$/,
  ],
  ['llama', { rope_theta: 0 }, /rope_theta: expected a number above 0, got 0/],
  ['llama', { rms_norm_eps: '1e-5' }, /rms_norm_eps: expected a number from 0 on, got "1e-5"/],
  ['llama', { rms_norm_eps: -1 }, /rms_norm_eps: expected a number from 0 on, got -1/],
  ['llama', { tie_word_embeddings: 'false' }, /tie_word_embeddings: expected true or false, got "false"/],
  ['llama', { attention_bias: 0 }, /attention_bias: expected true or false, got 0/],
  [
    'llama',
    { rope_scaling: { rope_type: 'linear', factor: -2 } },
    /^llama\/config.json: rope_scaling: factor: expected a number above 0, got -2$/,
  ],
  [
    'gemma3',
    { rope_parameters: { full_attention: { rope_theta: [1] }, sliding_attention: {} } },
    /rope_parameters: full_attention: rope_theta: expected a number above 0, got a list of 1/,
  ],
  ['gemma2', { attn_logit_softcapping: 0 }, /attn_logit_softcapping: expected a number above 0, got 0/],
  ['gpt_neox', { rotary_pct: '0.25' }, /rotary_pct: expected a number above 0, got "0.25"/],
  [
    'llama',
    { partial_rotary_factor: 0.5 },
    /partial_rotary_factor of 0.5 is not known for a model of type "llama": expected 1/,
  ],
])('%s with %o is refused', (family, fields, message) => {
  expect(() => described(family, (config) => ({ ...config, ...fields }))).toThrow(message);
});

test('a share of rotary positions that says what a family does anyway is none', () => {
  expect(described('llama', (config) => ({ ...config, partial_rotary_factor: 1 }))).toEqual(
    described('llama'),
  );
});
