// describeModel.test.ts: a config as older and newer versions of transformers write it describes the same model.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeModel } from '../../../src/checkpoint/model/describeModel.ts';
import type { ModelSpec } from '../../../src/models/decoder/spec.ts';
import {
  PREFIX_BYTES,
  parseHeader,
  readHeaderLength,
  type TensorSpec,
} from '../../../src/checkpoint/format/safetensors.ts';
import { tensorsOf } from '../../../src/checkpoint/model/tensorsOf.ts';
import { TINY, type Config } from '../../support/tinyConfig.ts';

type Tensors = ReadonlyMap<string, TensorSpec>;

/** The description of a family's fixture, its config and its tensors changed. */
function described(
  family: string,
  change: (config: Config) => Config = (config) => config,
  changeTensors: (tensors: Tensors) => Tensors = (tensors) => tensors,
): unknown {
  const folder = fileURLToPath(new URL(`families/${family}`, import.meta.url));
  const bytes = readFileSync(join(folder, 'model.safetensors'));
  const length = readHeaderLength(bytes.subarray(0, PREFIX_BYTES), bytes.length, family);
  const { tensors } = parseHeader(bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + length), bytes.length, family);
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Config;
  return JSON.parse(JSON.stringify(describeModel(changeTensors(tensors), change(config), family)));
}

/** The description of a model that has the tensors that its config says. */
function ofConfig(config: Config): ModelSpec {
  return describeModel(tensorsOf(config, 'F16', 'm'), config, 'm');
}

const LINEAR = { rope_type: 'linear', factor: 8 };

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
  [
    'gemma3',
    'bases beside the parameters of each kind of layers',
    (config) => ({
      ...without(config, 'rope_scaling'),
      rope_parameters: { full_attention: LINEAR, sliding_attention: null },
    }),
  ],
  [
    'gemma3',
    'a name of the pattern that its class does not read',
    (config) => ({ ...config, _sliding_window_pattern: 2 }),
  ],
  ['gemma2', 'an activation under a name of older families', (config) => ({ ...config, hidden_act: 'silu' })],
  [
    'llama3',
    'the same turns in the older and the newer form',
    (config) => ({
      ...config,
      rope_parameters: { ...(config['rope_scaling'] as object), rope_theta: config['rope_theta'] },
    }),
  ],
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

test('a base that is left out is the default of the class, of each kind of layers', () => {
  const base = (config: Config) =>
    ofConfig({ ...TINY, ...config }).layers.map(({ attention }) => attention.rope?.base);
  expect(base({ model_type: 'smollm3', no_rope_layers: [1, 0] })).toEqual([2_000_000, undefined]);
  expect(base({ model_type: 'mistral' })).toEqual([10_000, 10_000]);
  const gemma3 = { model_type: 'gemma3_text', sliding_window: 4, sliding_window_pattern: 2 };
  expect(base(gemma3)).toEqual([10_000, 1_000_000]);
  expect(base({ ...gemma3, rope_parameters: { full_attention: LINEAR, sliding_attention: {} } })).toEqual([
    10_000, 1_000_000,
  ]);
  expect(base({ model_type: 'llama', rope_scaling: { ...LINEAR, rope_theta: 500 } })).toEqual([500, 500]);
});

test('the first Gemma says gelu and means its approximation, the others mean what they say', () => {
  const activation = (config: Config) => ofConfig({ ...TINY, ...config }).layers[0]!.mlp.activation;
  expect(activation({ model_type: 'gemma', hidden_act: 'gelu' })).toBe('gelu_tanh');
  expect(activation({ model_type: 'gemma2', hidden_activation: 'gelu' })).toBe('gelu_erf');
});

test('Ministral has a window on the layers that it lists, Mistral on all', () => {
  const windows = (config: Config) =>
    ofConfig({ ...TINY, sliding_window: 4, ...config }).layers.map(({ attention }) => attention.window);
  const layer_types = ['full_attention', 'sliding_attention'];
  expect(windows({ model_type: 'ministral', layer_types })).toEqual([undefined, 4]);
  expect(windows({ model_type: 'ministral' })).toEqual([4, 4]);
  expect(windows({ model_type: 'mistral' })).toEqual([4, 4]);
});

test('a head that is in the file is the head, by its older and its newer name, though the config call it the embedding', () => {
  const renamed = (from: string, to: string) => (tensors: Tensors) =>
    new Map([...tensors].map(([name, tensor]) => [name === from ? to : name, tensor]));
  const neox = described('gpt_neox', undefined, renamed('embed_out.weight', 'lm_head.weight')) as ModelSpec;
  expect(neox.head.projection!.tensor).toBe('lm_head.weight');
  const tied = described('llama', (config) => ({ ...config, tie_word_embeddings: true })) as ModelSpec;
  expect(tied.head.projection!.tensor).toBe('lm_head.weight');
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
  // Fields that its class does not read, though others do.
  ['llama', { final_logit_softcapping: 30 }, /final_logit_softcapping of 30 is not known .* expected none/],
  ['llama', { query_pre_attn_scalar: 64 }, /query_pre_attn_scalar of 64 is not known/],
  ['llama', { residual_multiplier: 0.2 }, /residual_multiplier of 0.2 is not known .* expected 1/],
  ['llama', { is_causal: false }, /is_causal of false is not known .* expected true/],
  ['gemma3', { attn_logit_softcapping: 50 }, /attn_logit_softcapping of 50 is not known/],
  ['gemma2', { sliding_window_pattern: 3 }, /sliding_window_pattern of 3 is not known .* expected 2/],
  [
    'llama',
    { sliding_window: 4, layer_types: ['sliding_attention', 'full_attention', 'full_attention'] },
    /a window on 1 of 3 layers is not known for a model of type "llama": expected none/,
  ],
  [
    'mistral',
    { layer_types: ['sliding_attention', 'full_attention'] },
    /a window on 1 of 2 layers is not known for a model of type "mistral": expected all or none/,
  ],
  [
    'qwen2',
    { layer_types: ['sliding_attention', 'full_attention', 'full_attention'] },
    /layer_types has layers with a window, but no window is switched on/,
  ],
  // Turns that versions of transformers read in two ways, or that are of another family.
  [
    'llama',
    { rope_parameters: LINEAR, rope_scaling: { ...LINEAR, factor: 2 } },
    /rope_parameters and rope_scaling contradict each other: expected one of them/,
  ],
  [
    'llama',
    { rope_parameters: { full_attention: LINEAR } },
    /rope_parameters: expected those of all layers in a model of type "llama", got full_attention/,
  ],
  [
    'gemma3',
    { rope_scaling: null, rope_parameters: LINEAR },
    /rope_parameters: expected those of full_attention and of sliding_attention .* got rope_type, factor/,
  ],
  [
    'llama',
    { rope_theta: 50, rope_scaling: { ...LINEAR, rope_theta: 500 } },
    /rope_theta of 50 contradicts the base of 500/,
  ],
  ['llama', { rotary_emb_base: 50 }, /rotary_emb_base of 50 contradicts the base of 10000/],
  ['gpt_neox', { rope_theta: 50 }, /rope_theta of 50 contradicts the base of/],
  ['gpt_neox', { partial_rotary_factor: 0.5 }, /partial_rotary_factor of 0.5 is not known/],
  [
    'llama',
    {
      original_max_position_embeddings: 32,
      rope_scaling: { rope_type: 'yarn', factor: 2, original_max_position_embeddings: 16 },
    },
    /original_max_position_embeddings: expected 32 like that beside it, got 16/,
  ],
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

test('a model whose prompt is seen both ways is refused, though its text model be known', () => {
  const text_config = { ...TINY, model_type: 'gemma' };
  expect(() =>
    describeModel(tensorsOf(text_config, 'F16', 'm'), { model_type: 'paligemma', text_config }, 'm'),
  ).toThrow('a model of type "paligemma" sees its prompt both ways, which is not known');
  expect(() => ofConfig({ ...text_config, hidden_activation: 'gelu' })).toThrow(
    'hidden_activation of "gelu" is not known for a model of type "gemma": expected gelu_pytorch_tanh',
  );
});
