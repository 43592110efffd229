// arguments.test.ts: every public entry names what it cannot use: unknown options, missing arguments, wrong objects and types.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openGpu } from '#gpu';
import {
  bindMerge,
  borrowDevice,
  cacheLayout,
  checkShape,
  createDecoder,
  createKvCache,
  createStorage,
  deviceDescriptor,
  NoAdapterError,
  openDevice,
  ShapeError,
  uploadStorage,
  type Decoder,
  type GqaDevice,
  type KvCache,
} from '../src/index.ts';
import { planDecode } from '../src/decode/plan.ts';
import { planContext } from '../src/decode/planContext.ts';
import { NO_TUNING } from '../src/decode/tuning.ts';
import { testDevice } from './support/device.ts';
import { message } from './support/failure.ts';

const CACHE = { numKvHeads: 1, headDim: 64, capacity: 8 };
const SHAPE = { numQHeads: 2, numKvHeads: 1, headDim: 64 };

let device: GqaDevice;
let cache: KvCache;
let decoder: Decoder;
let row: GPUBuffer;
let wide: GPUBuffer;
let adapter: GPUAdapter;
let gpu: GPU;
const stored = new Float32Array(8 * 64);
beforeAll(async () => {
  device = await testDevice();
  gpu = await openGpu();
  adapter = (await gpu.requestAdapter())!;
  cache = await createKvCache(device, CACHE);
  decoder = await createDecoder(device, { cache, numQHeads: 2, fixedSplits: true });
  row = createStorage(device, 'row', 256);
  wide = createStorage(device, 'wide', 512);
});
afterAll(() => {
  for (const made of [decoder, cache, row]) made.destroy();
});

type Call = (more: object) => unknown;
const mergeArgs = () => ({
  numStates: 1,
  rows: 1,
  headDim: 64,
  statesO: row,
  statesLse: row,
  o: row,
  lse: row,
});

/** Every public entry that takes options, with right ones and more. */
const ENTRIES: Readonly<Record<string, Call>> = {
  createKvCache: (more) => createKvCache(device, { ...CACHE, ...more }),
  createDecoder: (more) => createDecoder(device, { cache, numQHeads: 2, ...more }),
  openDevice: (more) => openDevice(gpu, more),
  bindAppend: (more) => cache.bindAppend({ k: row, v: row, ...more }),
  append: (more) => cache.append({ k: row, v: row, ...more }),
  load: (more) => cache.load({ k: stored, v: stored, kvLens: [0], ...more }),
  step: (more) => decoder.bind({ q: wide, o: createStorage(device, 'o', 512), ...more }),
  plan: (more) => decoder.plan({ kvLens: [0], ...more }),
  planContext: (more) => planContext(decoder.shape, cache.layout, device.facts, more),
  planDecode: (more) => planDecode(decoder.context, [0], more),
  bindMerge: (more) => bindMerge(device, { ...mergeArgs(), ...more }),
  deviceDescriptor: (more) => deviceDescriptor(adapter, { ...CACHE, ...SHAPE, ...more }),
  cacheLayout: (more) => cacheLayout({ ...CACHE, ...more }),
  checkShape: (more) => checkShape({ ...SHAPE, ...more }),
};

describe.each(Object.keys(ENTRIES))('%s', (name) => {
  test('refuses an option it does not know', async () => {
    const error = await message(ShapeError, () => ENTRIES[name]!({ frobnicate: 1 }));
    expect(error).toMatch(/^\w+: there is no option frobnicate, known are \w+/);
  });
});

test.each<[string, object, string]>([
  ['createKvCache', { dtype: 'f16' }, 'cache: there is no option dtype; did you mean kType?'],
  ['createKvCache', { batch_size: 2 }, 'cache: there is no option batch_size; did you mean batch?'],
  ['createDecoder', { qlen: 2 }, 'decoder: there is no option qlen; did you mean qLen?'],
  ['plan', { num_splits: 2 }, 'plan: there is no option num_splits; did you mean numSplits?'],
  ['plan', { scale: 2 }, 'plan: there is no option scale; did you mean smScale?'],
  ['append', { num_tokens: 2 }, 'append: there is no option num_tokens; did you mean numTokens?'],
  ['openDevice', { powerPreferance: 'low-power' }, 'did you mean powerPreference?'],
])('%s says which option was meant by %o', async (name, more, expected) => {
  expect(await message(ShapeError, () => ENTRIES[name]!(more))).toContain(expected);
});

test.each<[string, object, string]>([
  [
    'createKvCache',
    { capacity: '8' },
    'cache: capacity: expected a whole number from 1 to 16777216, got "8"',
  ],
  ['createKvCache', { layers: null }, 'cache: layers: expected a whole number from 1 to 8192, got null'],
  ['createKvCache', { headDim: '64' }, 'got "64"'],
  ['createKvCache', { kType: 'F16' }, 'cache: kType must be one of f32, f16, bf16, int8, int4, got "F16"'],
  ['createDecoder', { numQHeads: '2' }, 'numQHeads: expected a whole number from 1 to 1024, got "2"'],
  ['createDecoder', { causal: 0 }, 'causal: expected true or false, got 0'],
  ['createDecoder', { cache: {} }, 'decoder: cache: expected a KvCache, got an object'],
  ['createDecoder', { cache: undefined }, 'decoder: cache: expected a KvCache, got undefined'],
  ['createDecoder', { cache: { layout: {}, layers: [] } }, 'got an object'],
  ['createDecoder', { kernel: null }, 'decoder: kernel must be one of'],
  ['createDecoder', { tuning: {} }, 'decoder: tuning: expected a tuning of schema'],
  ['createDecoder', { tuning: { ...NO_TUNING, devices: { a: 1 } } }, 'expected entries by shape'],
  ['createDecoder', { tuned: 5 }, 'expected a variant and slots'],
  ['createDecoder', { tuned: { variant: {}, slots: NaN } }, 'expected a variant and slots'],
  ['createDecoder', { variant: 'tiles' }, 'variant'],
  ['openDevice', { descriptor: {} }, 'openDevice: descriptor: expected a function, got an object'],
  ['openDevice', { powerPreference: 'fast' }, 'powerPreference must be one of low-power, high-performance'],
  ['append', { k: undefined }, 'append: k: expected a GPUBuffer or a part of one, got undefined'],
  [
    'append',
    { v: new Float32Array(64) },
    'append: v: expected a GPUBuffer or a part of one, got a Float32Array',
  ],
  ['append', { layer: -1 }, 'append: layer: expected 0, got -1'],
  ['append', { layer: '0' }, 'got "0"'],
  ['append', { numTokens: NaN }, 'got NaN'],
  ['load', { k: undefined }, 'load: k: expected a typed array'],
  ['load', { k: new Float64Array(256) }, 'load: k: expected a typed array of numbers of at most 32 bits'],
  [
    'load',
    { kvLens: undefined },
    'load: kvLens: expected an array of 1 lengths, one per sequence, got undefined',
  ],
  ['load', { kvLens: 3 }, 'got 3'],
  ['load', { kvLens: ['3'] }, 'load: length of sequence 0: expected a whole number from 0 to 8, got "3"'],
  [
    'load',
    { kvLens: Object.assign([], { length: 1 }) },
    'load: length of sequence 0: expected a whole number from 0 to 8, got undefined',
  ],
  ['step', { q: undefined }, 'bind: q: expected a GPUBuffer or a part of one, got undefined'],
  ['step', { lse: 4 }, 'bind: lse: expected a GPUBuffer or a part of one, got 4'],
  ['step', { layer: 0.5 }, 'bind: layer: expected 0, got 0.5'],
  [
    'plan',
    { kvLens: undefined },
    'plan: kvLens: expected an array of 1 lengths, one per sequence, got undefined',
  ],
  ['plan', { kvLens: 1 }, 'plan: kvLens: expected an array'],
  ['plan', { smScale: '0.5' }, 'plan: smScale: expected a finite number, got "0.5"'],
  ['plan', { smScale: null }, 'plan: smScale: expected a finite number, got null'],
  ['plan', { deterministic: 'false' }, 'plan: deterministic: expected true or false, got "false"'],
  ['plan', { numSplits: '2' }, 'got "2"'],
  ['createDecoder', { variant: null }, 'decoder: variant: expected a variant, got null'],
  ['createDecoder', { variant: '' }, 'decoder: variant: expected a variant, got ""'],
  [
    'createDecoder',
    { variant: { template: 'tiles', wgSize: '8' } },
    'variant: wgSize: expected a whole number',
  ],
  ['createDecoder', { tuned: null }, 'decoder: tuned: expected a variant and slots'],
  ['createDecoder', { tuned: { variant: {}, slots: 8 } }, 'tuned: variant: template must be one of'],
  ['bindMerge', { headDim: '64' }, 'merge: headDim: expected a multiple of 8'],
  ['bindMerge', { rows: [1] }, 'merge: rows: expected a whole number'],
  ['bindMerge', { statesO: {} }, 'merge: statesO: expected a GPUBuffer or a part of one, got an object'],
])('%s refuses %o', async (name, more, expected) => {
  expect(await message(ShapeError, () => ENTRIES[name]!(more))).toContain(expected);
});

// `as never`: the types forbid most of these.
test.each<[string, () => unknown, string]>([
  ['no GPU', () => openDevice(undefined), 'openDevice: expected a GPU object'],
  ['what nodeGpu() gives', () => openDevice({ gpu } as never), 'openDevice: expected a GPU object'],
  ['an adapter for a GPU', () => openDevice(adapter as never), 'got a GPUAdapter'],
  ['no device', () => borrowDevice(undefined as never), 'borrowDevice: expected a GPUDevice, got undefined'],
  [
    'a GqaDevice to borrow',
    () => borrowDevice(device as never),
    'borrowDevice: expected a GPUDevice, got a GqaDevice',
  ],
])('%s is no device to be had', async (_, call, expected) => {
  expect(await message(NoAdapterError, call)).toContain(expected);
});

// `as never`: the types forbid all of these.
test.each<[string, () => unknown, string]>([
  [
    'no set of features',
    () => borrowDevice(device.gpu, ['subgroup_id'] as never),
    'expected a set of names, got an array of 1',
  ],
  [
    'a GPUDevice',
    () => createKvCache(device.gpu as never, CACHE),
    'createKvCache: expected a GqaDevice, got a GPUDevice; openDevice() and borrowDevice() give one',
  ],
  [
    'options alone',
    () => createKvCache(CACHE as never, undefined as never),
    'createKvCache: expected a GqaDevice, got an object',
  ],
  [
    'no options',
    () => createKvCache(device, undefined as never),
    'cache: expected an object of options, got undefined',
  ],
  [
    'no device',
    () => createDecoder(undefined as never, { cache, numQHeads: 2 }),
    'createDecoder: expected a GqaDevice, got undefined',
  ],
  ['a cache alone', () => createDecoder(device, cache as never), 'decoder: '],
  [
    'no options',
    () => createDecoder(device, null as never),
    'decoder: expected an object of options, got null',
  ],
  [
    'a device for merge args',
    () => bindMerge(device, undefined as never),
    'merge: expected an object of options, got undefined',
  ],
  [
    'a GPUDevice',
    () => bindMerge(device.gpu as never, mergeArgs()),
    'bindMerge: expected a GqaDevice, got a GPUDevice',
  ],
  ['no shape', () => checkShape(undefined as never), 'shape: expected an object of options, got undefined'],
  ['no cache options', () => cacheLayout(null as never), 'cache: expected an object of options, got null'],
  ['no needs', () => deviceDescriptor(adapter, undefined as never), 'deviceDescriptor: expected an object'],
  [
    'no adapter',
    () => deviceDescriptor(undefined as never, { ...CACHE, ...SHAPE }),
    'deviceDescriptor: expected a GPUAdapter, got undefined',
  ],
  [
    'no buffers',
    () => cache.append(undefined as never),
    'append: expected an object of options, got undefined',
  ],
  ['no bytes', () => cache.load(undefined as never), 'load: expected an object of options, got undefined'],
  [
    'no lengths',
    () => cache.truncate(undefined as never),
    'truncate: kvLens: expected an array of 1 lengths, one per sequence, got undefined',
  ],
  ['a text for a length', () => cache.truncate('0' as never), 'got "0"'],
  [
    'no buffers',
    () => decoder.bind(undefined as never),
    'bind: expected an object of options, got undefined',
  ],
  [
    'no lengths',
    () => (decoder.plan as () => unknown).call(decoder),
    'plan: expected an object of options, got undefined',
  ],
  ['lengths alone', () => decoder.plan([1] as never), 'plan: '],
])('refuses %s', async (_name, act, expected) => {
  expect(await message(ShapeError, act)).toContain(expected);
});

test.each<[string, () => unknown, string]>([
  ['no plan', () => undefined, 'got undefined'],
  ['lengths', () => [1], 'got an array of 1'],
  [
    'a copy of a plan with other lengths',
    () => ({ ...decoder.plan({ kvLens: [0] }), kvLens: [1] }),
    'got an object',
  ],
  [
    'a plan of another context of the same shape',
    () => planDecode(planContext(decoder.shape, cache.layout, device.facts, { kernel: 'plain' }), [0]),
    'the plan was made by another decoder',
  ],
])('a step refuses %s', async (_name, planOf, expected) => {
  const q = uploadStorage(device, 'q', new Float32Array(128));
  const step = await decoder.bind({ q, o: createStorage(device, 'o', 512) });
  expect(await message(ShapeError, () => step.run(planOf() as never))).toContain(expected);
});

test('a cache of f16 or int8 takes its own bytes, and no array that would have to be converted', async () => {
  using half = await createKvCache(device, { ...CACHE, kType: 'f16' });
  const load = (k: unknown) => half.load({ k, v: new Uint16Array(512), kvLens: [8] } as never);
  expect(await message(ShapeError, () => load(new Float32Array(256)))).toBe(
    'load: k: expected stored f16 elements (encodeRows gives them), got a Float32Array',
  );
  load(new Uint16Array(512));
  load(new Uint8Array(1024));
  load(new DataView(new ArrayBuffer(1024)));
  load(new Uint16Array(new SharedArrayBuffer(1024)));
  expect(half.kvLens()).toEqual([8]);
  await device.idle();
});
