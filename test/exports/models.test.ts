// models.test.ts: every function of the entry `gqa-webgpu/models`, with everything that its arguments are not.
import { expect, test } from 'vitest';
import * as library from '../../src/models.ts';
import { functionsOf, testCalls, type Calls } from '../support/wrongValues.ts';

const LAYERS = [
  { kind: 'global', count: 2, numKvHeads: 2, headDim: 64 },
  { kind: 'local', count: 1, numKvHeads: 2, headDim: 64, window: 8 },
];
const rows = library.storedRows('f16');

// A list of fields of configs, of which each model type knows others: configRefused.test.ts replaces those.
const CONFIG = {
  model_type: 'llama',
  hidden_size: 256,
  num_attention_heads: 4,
  num_hidden_layers: 2,
  num_key_value_heads: 2,
  head_dim: 64,
};

const FUNCTIONS: Calls = {
  crossBytesPerToken: { call: library.crossBytesPerToken, args: () => [LAYERS, rows] },
  findPreset: { call: library.findPreset, args: () => ['gpt-2'] },
  isPreset: { call: library.isPreset, args: () => ['gpt-2'], also: { 0: ['x', ''] } },
  kvBytesPerToken: { call: library.kvBytesPerToken, args: () => [LAYERS, rows] },
  kvCacheBytes: {
    call: library.kvCacheBytes,
    args: () => [LAYERS, 16, 2, rows, { windowed: true }],
    also: { '4.windowed': [true] },
  },
  nearestPresets: { call: library.nearestPresets, args: () => ['gpt-2'], also: { 0: ['x', ''] } },
  parseConfigJson: { call: library.parseConfigJson, args: () => ['{}', 'a file'], also: { 1: ['x', ''] } },
  readFloorMs: { call: library.readFloorMs, args: () => [1, 1], also: { 0: [1.5], 1: [1.5] } },
  shapeFromConfig: { call: library.shapeFromConfig, args: () => [CONFIG, 'a file'], also: { 1: ['x', ''] } },
  storedRows: { call: library.storedRows, args: () => ['f16', 'int8'], also: { 1: [undefined] } },
  withKvHeads: { call: library.withKvHeads, args: () => [LAYERS, 1] },
};

testCalls(FUNCTIONS, (value) => value !== CONFIG);

test('all that is exported is here', () => {
  expect(functionsOf(library)).toEqual(Object.keys(FUNCTIONS).toSorted());
});
