// train.test.ts: every function of the entry `gqa-webgpu/train`, with everything that its arguments are not.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GqaDevice } from '../../src/index.ts';
import * as library from '../../src/train.ts';
import { testDevice } from '../support/device.ts';
import { EMPTY, functionsOf, MAP, methodsOf, testCalls, type Calls } from '../support/wrongValues.ts';

let device: GqaDevice;
let source: library.ModelSource;
let trainer: library.Trainer;
let parameters: Float32Array;

const LLAMA = {
  layers: 1,
  dim: 32,
  heads: 4,
  kvHeads: 4,
  feedForward: 32,
  vocabSize: 11,
  context: 9,
  seed: 1,
};
const CHECKPOINT = library.newLlama(LLAMA);
const TOKENS = Uint32Array.from({ length: 400 }, (_, i) => (i * i) % 11);
const TEXT = library.splitTokens(TOKENS, 0.25);
const VOCABULARY = library.charVocabulary('abc');
const OPTIONS = {
  batch: 2,
  context: 9,
  rate: 1e-3,
  schedule: 'cosine',
  warmup: 0.1,
  steps: 5,
  seed: 1,
} as const;
const HEADS = {
  kvHeads: 2,
  method: 'mean',
  grouping: 'neighbours',
  headMap: 'contiguous',
  renorm: true,
  seed: 1,
} as const;

beforeAll(async () => {
  device = await testDevice();
  source = library.openCheckpoint(CHECKPOINT);
  trainer = await library.createTrainer(device, source, TEXT, OPTIONS);
  ({ parameters } = await trainer.state());
}, 120_000);

afterAll(() => trainer.destroy());

const FUNCTIONS: Calls = {
  charTokenizerFiles: { call: library.charTokenizerFiles, args: () => [VOCABULARY] },
  charVocabulary: { call: library.charVocabulary, args: () => ['abc'], also: { 0: ['x'] } },
  checkpointTensors: { call: library.checkpointTensors, args: () => [source, parameters] },
  createTrainer: {
    call: async (...args: Parameters<typeof library.createTrainer>) =>
      (await library.createTrainer(...args)).destroy(),
    args: () => [
      device,
      source,
      TEXT,
      { ...OPTIONS, windows: 2, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, clip: 1 },
    ],
    also: {
      '3.windows': [undefined],
      '3.beta1': [undefined],
      '3.beta2': [undefined],
      '3.eps': [undefined, 1.5],
      '3.weightDecay': [undefined, 1.5],
      '3.clip': [undefined, 1.5],
      '3.rate': [1.5],
    },
  },
  generatedText: { call: library.generatedText, args: () => [1, 100] },
  newLlama: { call: library.newLlama, args: () => [LLAMA], also: { '0.seed': [undefined] } },
  openCheckpoint: {
    call: library.openCheckpoint,
    args: () => [CHECKPOINT, HEADS],
    also: {
      1: [undefined],
      '0.name': ['x', ''],
      '1.renorm': [true],
      '0.config': [EMPTY],
      '0.tensors': [MAP],
    },
  },
  planTrainer: {
    call: library.planTrainer,
    args: () => [source, { batch: 2, context: 9, learns: true }, device.facts],
    also: { '1.learns': [true] },
  },
  splitTokens: { call: library.splitTokens, args: () => [TOKENS, 0.25] },
};

testCalls(
  FUNCTIONS,
  (value) => value !== CHECKPOINT.config && value !== VOCABULARY && value !== device.facts,
);

const METHODS: Calls = {
  'Trainer.advance': { call: (to: number) => trainer.advance(to), args: () => [1] },
};

testCalls(METHODS);

/** They take nothing, getters among them, or are internal. */
const WITHOUT_ARGUMENTS = /^(Trainer\.(step|evaluate|state|destroy)|ModelSource\.(tensor|read|close))$/;

test('all methods are here', () => {
  const methods = methodsOf(library).filter((name) => !WITHOUT_ARGUMENTS.test(name));
  expect(methods).toEqual(Object.keys(METHODS).toSorted());
});

test('all that is exported is here', () => {
  expect(functionsOf(library)).toEqual(Object.keys(FUNCTIONS).toSorted());
});
