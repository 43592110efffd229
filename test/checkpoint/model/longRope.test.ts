// longRope.test.ts: LongRoPE as configs of Phi-3 and its kin write it, and what is refused.
import { describe, expect, test } from 'vitest';
import { describeModel } from '../../../src/checkpoint/model/describeModel.ts';
import { tensorsOf } from '../../../src/checkpoint/model/tensorsOf.ts';

const SHORT = [1, 1.1, 1.2, 1.3, 1.4, 1.5];
const LONG = [1, 2, 3, 5, 8, 13];

// Phi-4-mini's form: three quarters of a head are turned.
const CONFIG = {
  model_type: 'phi3',
  hidden_size: 64,
  intermediate_size: 96,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  num_hidden_layers: 1,
  vocab_size: 128,
  partial_rotary_factor: 0.75,
  rope_theta: 10000,
  max_position_embeddings: 131072,
  original_max_position_embeddings: 4096,
  sliding_window: 262144,
};
const LISTS = { short_factor: SHORT, long_factor: LONG };

function ropeOf(config: object) {
  const whole = { ...CONFIG, ...config };
  const { layers } = describeModel(tensorsOf(whole, 'F16', 'phi'), whole, 'phi');
  return layers[0]!.attention.rope;
}

const READ = {
  rotaryDim: 12,
  style: 'half',
  base: 10000,
  scaling: { type: 'longrope', shortFactor: SHORT, longFactor: LONG, factor: 32, originalContext: 4096 },
};

describe('read', () => {
  test.each<[string, object, object]>([
    ['longrope', { rope_scaling: { type: 'longrope', ...LISTS } }, {}],
    ['su, as it was called first', { rope_scaling: { type: 'su', ...LISTS } }, {}],
    [
      'in rope_parameters, the original context and the share with it',
      {
        original_max_position_embeddings: undefined,
        partial_rotary_factor: undefined,
        rope_parameters: {
          rope_type: 'longrope',
          rope_theta: 10000,
          partial_rotary_factor: 0.75,
          original_max_position_embeddings: 4096,
          ...LISTS,
        },
      },
      {},
    ],
    ['with the factor said too', { rope_scaling: { type: 'longrope', factor: 32, ...LISTS } }, {}],
    [
      'with an attention factor',
      { rope_scaling: { type: 'longrope', attention_factor: 1.25, ...LISTS } },
      { attentionFactor: 1.25 },
    ],
    [
      'without an original context: the factor counts from the whole one',
      {
        original_max_position_embeddings: undefined,
        rope_scaling: { type: 'longrope', factor: 2, ...LISTS },
      },
      { originalContext: 131072, factor: 2 },
    ],
  ])('%s', (_, config, more) => {
    expect(ropeOf(config)).toEqual({ ...READ, scaling: { ...READ.scaling, ...more } });
  });
});

test.each<[string, object, string]>([
  [
    'a list that is too short',
    { ...LISTS, long_factor: [1, 2] },
    'phi/config.json: rope_scaling: long_factor: expected 6 numbers, one for each pair that is turned, got 2',
  ],
  [
    'a list that is none',
    { ...LISTS, short_factor: 3 },
    'short_factor: expected 6 numbers, one for each pair that is turned, got 3',
  ],
  ['a list that is left out', { long_factor: LONG }, 'short_factor: expected 6 numbers'],
  [
    'text in a list',
    { ...LISTS, long_factor: [...LONG.slice(1), 'x'] },
    'long_factor: pair 5: expected a finite number, got "x"',
  ],
  [
    'a factor of nothing',
    { ...LISTS, long_factor: [0, ...LONG.slice(1)] },
    'long_factor: pair 0: expected more than 0, got 0',
  ],
  [
    'factors of attention by length',
    { ...LISTS, short_mscale: 1.1 },
    'rope_scaling: short_mscale is not known',
  ],
  [
    'another factor',
    { ...LISTS, factor: 4 },
    'expected max_position_embeddings / original_max_position_embeddings (32) or an attention_factor, got 4',
  ],
  [
    'the lists beside YaRN',
    { ...LISTS, type: 'yarn', factor: 32 },
    'rope_scaling: short_factor is not known',
  ],
])('%s is refused', (_, scaling, message) => {
  expect(() => ropeOf({ rope_scaling: { type: 'longrope', ...scaling } })).toThrow(message);
});
