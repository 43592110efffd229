// models.test.ts: every function of the entry `gqa-webgpu/models`, with everything that its arguments are not.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GqaDevice } from '../../src/index.ts';
import * as library from '../../src/models.ts';
import { testDevice } from '../support/device.ts';
import { tinyModel, tinyT5 } from '../support/tinyModel.ts';
import {
  EMPTY,
  functionsOf,
  LIST as EMPTY_LIST,
  methodsOf,
  nothing,
  testCalls,
  type Calls,
} from '../support/wrongValues.ts';

let device: GqaDevice;
let source: library.ModelSource;
let model: library.Model;
let context: library.ModelContext;
let t5: library.Model;
let sources: library.ModelContext;

beforeAll(async () => {
  device = await testDevice();
  source = await library.openModelFiles(tinyModel());
  model = await library.loadModel(device, source);
  context = await model.createContext({ batch: 2, capacity: 16, chunk: 8 });
  t5 = await library.loadModel(device, await library.openModelFiles(tinyT5()));
  sources = await t5.createContext({ batch: 2, capacity: 16, sourceCapacity: 8, chunk: 8 });
}, 120_000);

afterAll(() => {
  sources.destroy();
  t5.destroy();
  context.destroy();
  model.destroy();
});

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

const FILES = tinyModel();

const FUNCTIONS: Calls = {
  crossBytesPerToken: { call: library.crossBytesPerToken, args: () => [LAYERS, rows] },
  findPreset: { call: library.findPreset, args: () => ['gpt-2'] },
  growingText: { call: library.growingText, args: () => [() => ''], also: { 0: [nothing] } },
  isPreset: { call: library.isPreset, args: () => ['gpt-2'], also: { 0: ['x', ''] } },
  kvBytesPerToken: { call: library.kvBytesPerToken, args: () => [LAYERS, rows] },
  kvCacheBytes: {
    call: library.kvCacheBytes,
    args: () => [LAYERS, 16, 2, rows, { windowed: true }],
    also: { '4.windowed': [true] },
  },
  loadModel: {
    call: async (on: GqaDevice, from: library.ModelSource, options: library.WeightOptions) =>
      (await library.loadModel(on, from, options)).destroy(),
    args: () => [device, source, { weightType: 'f16', onProgress: nothing }],
    also: { 2: [undefined, EMPTY], '2.weightType': [undefined], '2.onProgress': [undefined, nothing] },
  },
  nearestPresets: { call: library.nearestPresets, args: () => ['gpt-2'], also: { 0: ['x', ''] } },
  openModelFiles: {
    call: library.openModelFiles,
    args: () => [FILES, 'a model'],
    also: { 1: [undefined, 'x', ''] },
  },
  parseConfigJson: { call: library.parseConfigJson, args: () => ['{}', 'a file'], also: { 1: ['x', ''] } },
  planMemory: {
    call: library.planMemory,
    args: () => [source, { capacity: 16, batch: 2, weightType: 'int8' }, device.facts],
    also: { '1.batch': [undefined], '1.weightType': [undefined] },
  },
  readFloorMs: { call: library.readFloorMs, args: () => [1, 1], also: { 0: [1.5], 1: [1.5] } },
  shapeFromConfig: { call: library.shapeFromConfig, args: () => [CONFIG, 'a file'], also: { 1: ['x', ''] } },
  storedRows: { call: library.storedRows, args: () => ['f16', 'int8'], also: { 1: [undefined] } },
  withKvHeads: { call: library.withKvHeads, args: () => [LAYERS, 1] },
};

testCalls(FUNCTIONS, (value) => value !== CONFIG && value !== FILES && value !== device.facts);

const PROMPTS = [[1, 2], [3]];

async function drained(steps: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of steps) continue;
  context.cache.truncate(0);
}

const METHODS: Calls = {
  'Model.createContext': {
    call: async (options: library.ContextOptions) => (await model.createContext(options)).destroy(),
    args: () => [{ batch: 2, capacity: 16, kType: 'f16', vType: 'int8', chunk: 8 }],
    also: { '0.batch': [undefined], '0.kType': [undefined], '0.vType': [undefined], '0.chunk': [undefined] },
  },
  'ModelContext.feed': {
    call: async (tokens: number[][]) => {
      await context.feed(tokens);
      context.cache.truncate(0);
    },
    args: () => [PROMPTS],
    also: { '0.0': [EMPTY_LIST], '0.1': [EMPTY_LIST] },
  },
  'ModelContext.encode': {
    call: (tokens: number[][]) => sources.encode(tokens),
    args: () => [PROMPTS],
  },
  'ModelContext.fork': { call: (from, to) => context.fork(from, to), args: () => [0, 1] },
  'ModelContext.generate': {
    call: (prompts: number[][], options: library.GenerateOptions) =>
      drained(context.generate(prompts, options)),
    args: () => [
      PROMPTS,
      { maxTokens: 2, temperature: 1, topK: 3, topP: 0.5, seed: 1, stop: [], stepsPerRead: 2 },
    ],
    also: {
      '1.temperature': [undefined, 1.5],
      '1.topK': [undefined],
      '1.topP': [undefined],
      '1.seed': [undefined],
      '1.stop': [undefined, EMPTY_LIST],
      '1.stepsPerRead': [undefined],
    },
  },
  'ModelContext.logits': {
    call: async (tokens: number[][], each: () => void) => {
      await context.logits(tokens, each);
      context.cache.truncate(0);
    },
    args: () => [PROMPTS, nothing],
    also: { '0.0': [EMPTY_LIST], '0.1': [EMPTY_LIST], 1: [nothing] },
  },
  'ModelContext.losses': {
    call: async (tokens: number[][]) => {
      await context.losses(tokens);
      context.cache.truncate(0);
    },
    args: () => [PROMPTS],
    also: { '0.0': [EMPTY_LIST], '0.1': [EMPTY_LIST] },
  },
  'ModelContext.pairPerplexity': {
    call: (pairs: library.TextPair[], options: library.PairPerplexityOptions) =>
      sources.pairPerplexity(pairs, options),
    args: () => [[{ source: [1, 2], target: [3] }], { onProgress: nothing }],
    also: { 1: [undefined, EMPTY], '1.onProgress': [undefined, nothing] },
  },
  'ModelContext.perplexity': {
    call: (tokens: number[], options: library.PerplexityOptions) => context.perplexity(tokens, options),
    args: () => [[1, 2, 3], { window: 4, stride: 2, onProgress: nothing }],
    also: {
      1: [undefined, EMPTY],
      '1.window': [undefined],
      '1.stride': [undefined],
      '1.onProgress': [undefined, nothing],
    },
  },
  'ModelContext.truncate': {
    call: (sequence, length) => context.truncate(sequence, length),
    args: () => [1, 0],
  },
};

testCalls(METHODS);

/** They take nothing, getters among them, or are internal. */
const WITHOUT_ARGUMENTS =
  /^(Model\.(weightBytes|assertUsable|destroy)|ModelContext\.(cache|lengths|sourceLengths|sourceCache|trace|traceSource|destroy)|ModelSource\.(tensor|read|close))$/;

test('all methods are here', () => {
  const methods = methodsOf(library).filter((name) => !WITHOUT_ARGUMENTS.test(name));
  expect(methods).toEqual(Object.keys(METHODS).toSorted());
});

test('all that is exported is here', () => {
  expect(functionsOf(library)).toEqual(Object.keys(FUNCTIONS).toSorted());
});
