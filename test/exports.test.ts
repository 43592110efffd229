// exports.test.ts: every function and method of the package, each argument and field of it replaced by everything it is not.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openGpu } from '#gpu';
import { describe as describeValue } from '../src/device/options.ts';
import * as library from '../src/index.ts';
import { Tuning } from '../src/tuning.ts';
import { ownDevice } from './support/ownDevice.ts';

const {
  bindMerge,
  cacheLayout,
  checkShape,
  createDecoder,
  createKvCache,
  createStorage,
  encodeRows,
  GqaError,
  nothingLost,
} = library;

/** The right arguments of a call, made anew for each. */
interface Call {
  readonly call: (...args: never[]) => unknown;
  readonly args: () => readonly unknown[];
  /** What is right beside what `args` gives: an argument's number, or a field of it, as `1.smScale`. */
  readonly also?: Readonly<Record<string, readonly unknown[]>>;
}

const EMPTY = {};
const MAP = new Map();
const SHAPE = { batch: 2, numQHeads: 4, numKvHeads: 2, headDim: 64, qLen: 1, causal: true };
const CACHE = { batch: 2, numKvHeads: 2, headDim: 64, capacity: 8, layers: 2 };
const TILES = { template: 'tiles', wgSize: 16, tile: 16, rowBlock: 4, mixWords: 1 };
const layout = cacheLayout(CACHE);
const shape = checkShape(SHAPE);

let gpu: GPU;
let adapter: GPUAdapter;
let device: library.GqaDevice;
let cache: library.KvCache;
let decoder: library.Decoder;
let append: library.BoundAppend;
let step: library.DecodeStep;
let merge: library.BoundMerge;
const buffer = (bytes: number) => createStorage(device, 'buffer', bytes);
const row = () => ({ k: buffer(1024), v: buffer(1024) });
const encoder = () => device.gpu.createCommandEncoder();

beforeAll(async () => {
  gpu = await openGpu();
  adapter = (await gpu.requestAdapter())!;
  device = await ownDevice();
  cache = await createKvCache(device, CACHE);
  decoder = await createDecoder(device, { cache, numQHeads: 4, kernel: 'tiles', fixedSplits: true });
  append = await cache.bindAppend(row());
  step = await decoder.bind({ q: buffer(2048), o: buffer(2048) });
  merge = await bindMerge(device, mergeArgs());
});
afterAll(() => device.destroy());

const mergeArgs = () => ({
  numStates: 2,
  rows: 1,
  headDim: 64,
  statesO: buffer(512),
  statesLse: buffer(8),
  o: buffer(256),
  lse: buffer(4),
});
const rows = () => new Float32Array(4 * 8 * 64);

const FUNCTIONS: Readonly<Record<string, Call>> = {
  bindMerge: { call: bindMerge, args: () => [device, mergeArgs()] },
  borrowDevice: {
    call: library.borrowDevice,
    args: () => [device.gpu, new Set(['subgroup_id'])],
    also: { 1: [undefined, MAP] },
  },
  cacheLayout: {
    call: cacheLayout,
    args: () => [CACHE],
    also: { '0.batch': [undefined], '0.layers': [undefined] },
  },
  checkShape: {
    call: checkShape,
    args: () => [SHAPE],
    also: { '0.batch': [undefined], '0.qLen': [undefined], '0.causal': [undefined, true] },
  },
  createDecoder: {
    call: createDecoder,
    args: () => [
      device,
      {
        cache,
        numQHeads: 4,
        kernel: 'tiles',
        tuning: Tuning.none,
        tuned: { variant: TILES, slots: 4 },
        variant: TILES,
      },
    ],
    also: {
      '1.kernel': [undefined],
      '1.tuning': [undefined],
      '1.tuned': [undefined],
      '1.variant': [undefined],
    },
  },
  createKvCache: {
    call: createKvCache,
    args: () => [device, CACHE],
    also: { '1.batch': [undefined], '1.layers': [undefined] },
  },
  createStorage: { call: createStorage, args: () => [device, 'label', 4], also: { 1: ['x', ''] } },
  decodeRows: { call: library.decodeRows, args: () => [layout.k, new Uint8Array(layout.kBytes)] },
  deviceDescriptor: {
    call: library.deviceDescriptor,
    args: () => [adapter, { ...SHAPE, ...CACHE }],
    also: {
      '1.batch': [undefined],
      '1.qLen': [undefined],
      '1.causal': [undefined, true],
      '1.layers': [undefined],
    },
  },
  encodeRows: {
    call: encodeRows,
    args: () => [layout.k, rows(), nothingLost()],
    also: { 2: [undefined], '2.notFinite': [1.5], '2.saturated': [1.5], '2.vanished': [1.5] },
  },
  isSoftware: { call: library.isSoftware, args: () => [device.gpu.adapterInfo] },
  kvBytesRead: { call: library.kvBytesRead, args: () => [layout, [1, 2]] },
  nothingLost: { call: nothingLost, args: () => [] },
  openDevice: { call: library.openDevice, args: () => [gpu, {}], also: { 1: [undefined, EMPTY] } },
  readBack: { call: library.readBack, args: () => [device, buffer(4)] },
  uploadStorage: {
    call: library.uploadStorage,
    args: () => [device, 'label', new Float32Array(1)],
    also: { 1: ['x', ''] },
  },
};

const TUNING: Readonly<Record<string, Call>> = {
  'Tuning.faults': {
    call: Tuning.faults,
    args: () => [Tuning.none, device],
    also: { '0.devices': [EMPTY] },
  },
  'Tuning.for': {
    call: Tuning.for,
    args: () => [Tuning.none, device, shape, layout],
    also: { '0.devices': [EMPTY] },
  },
  'Tuning.parse': {
    call: Tuning.parse,
    args: () => [JSON.stringify(Tuning.none), 'a file'],
    also: { 1: ['x'] },
  },
  'Tuning.with': {
    call: Tuning.with,
    args: () => [Tuning.none, device, shape, layout, { variant: TILES, slots: 3 }],
    also: { '0.devices': [EMPTY] },
  },
};

const METHODS: Readonly<Record<string, Call>> = {
  'KvCache.append': {
    call: (args) => cache.append(args),
    args: () => [{ layer: 1, numTokens: 1, ...row() }],
    also: { '0.layer': [undefined], '0.numTokens': [undefined] },
  },
  'KvCache.bindAppend': {
    call: (args) => cache.bindAppend(args),
    args: () => [{ layer: 1, numTokens: 1, ...row() }],
    also: { '0.layer': [undefined], '0.numTokens': [undefined] },
  },
  'KvCache.bindAppends': {
    call: (layers) => cache.bindAppends(layers),
    args: () => [[{ numTokens: 1, ...row() }, row()]],
  },
  'KvCache.kvLens': { call: (layer) => cache.kvLens(layer), args: () => [1], also: { 0: [undefined] } },
  'KvCache.load': {
    call: (args) => cache.load(args),
    args: () => [{ layer: 1, k: rows(), v: rows(), kvLens: [1, 2] }],
    also: { '0.layer': [undefined] },
  },
  'KvCache.truncate': { call: (lens) => cache.truncate(lens), args: () => [0] },
  'BoundAppend.record': { call: (target) => append.record(target), args: () => [encoder()] },
  'Decoder.plan': {
    call: (options) => decoder.plan(options),
    args: () => [{ kvLens: [0, 0], smScale: 1, numSplits: 1 }],
    also: { '0.smScale': [undefined, -1, 1.5], '0.numSplits': [undefined] },
  },
  'Decoder.bind': {
    call: (args) => decoder.bind(args),
    args: () => [{ layer: 1, q: buffer(2048), o: buffer(2048), lse: buffer(32) }],
    also: { '0.layer': [undefined], '0.lse': [undefined] },
  },
  'Decoder.bindLayers': {
    call: (layers) => decoder.bindLayers(layers),
    args: () => [[{ q: buffer(2048), o: buffer(2048), lse: buffer(32) }]],
  },
  'DecodeStep.record': {
    call: (target, plan) => step.record(target, plan),
    args: () => [encoder(), decoder.plan({ kvLens: [0, 0] })],
  },
  'DecodeStep.run': { call: (plan) => step.run(plan), args: () => [decoder.plan({ kvLens: [0, 0] })] },
  'BoundMerge.record': { call: (target) => merge.record(target), args: () => [encoder()] },
};

/** Methods without arguments. */
const BARE = /^(GqaDevice|KvCache|Decoder)\.(destroy|assertUsable|assertAlive|idle|report|lostSoon)$/;

/** Methods that are not in the declarations. */
const INTERNAL = [
  'GqaDevice.onIdle',
  'GqaDevice.onNextIdle',
  'GqaDevice.advise',
  'KvCache.liveKvLens',
].concat(['KvCache.appendsRecorded', 'KvCache.recordAppend', 'KvCache.noteRead']);

const WRONG = [
  undefined,
  null,
  NaN,
  -1,
  1.5,
  'x',
  '',
  true,
  EMPTY,
  [],
  () => {},
  1n,
  Symbol('s'),
  MAP,
  Promise.resolve(1),
];

/** What a call throws or rejects with; undefined when it does neither. */
async function thrownBy(act: () => unknown): Promise<unknown> {
  try {
    await act();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Is it options, or data of the caller's? What the library gave is checked for what is read of it alone. */
function isOpen(value: unknown): value is object {
  const given: readonly unknown[] = [layout.k, layout, shape, device.facts, decoder.context];
  if (typeof value !== 'object' || value === null || given.includes(value)) return false;
  return Object.getPrototypeOf(value) === Object.prototype && !('dispatches' in value);
}

/** All places of a call where a value can be put: its arguments, and the fields of those that are plain objects. */
function placesOf({ args }: Call): string[] {
  return args().flatMap((arg, i) => [
    String(i),
    ...(isOpen(arg) ? Object.keys(arg).map((field) => `${i}.${field}`) : []),
  ]);
}

function withValue({ args }: Call, place: string, value: unknown): unknown[] {
  const [index, field] = place.split('.') as [string, string?];
  return args().map((arg, i) => {
    if (i !== Number(index)) return arg;
    return field === undefined ? value : { ...(arg as object), [field]: value };
  });
}

const SAYS = /expected .*got |must be one of .*got |there is no option /s;

describe.each(Object.entries({ ...FUNCTIONS, ...TUNING, ...METHODS }))('%s', (_, call) => {
  test('takes what is right', async () => {
    expect(await thrownBy(() => call.call(...(call.args() as never[])))).toBeUndefined();
  });

  test('takes nothing else, and says what was expected and given', async () => {
    const wrong: string[] = [];
    for (const place of placesOf(call)) {
      for (const value of WRONG) {
        if (call.also?.[place]?.includes(value)) continue;
        const error = await thrownBy(() => call.call(...(withValue(call, place, value) as never[])));
        if (error instanceof GqaError && SAYS.test(error.message)) continue;
        wrong.push(`${place} = ${describeValue(value)}: ${String(error)}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

const isClass = (value: unknown) => /^class\b/.test(String(value));

test('all that is exported is here', () => {
  const functions = Object.entries(library).filter(
    ([, value]) => typeof value === 'function' && !isClass(value),
  );
  expect(functions.map(([name]) => name).toSorted()).toEqual(Object.keys(FUNCTIONS).toSorted());
});

test('all that is done with a tuning is here', () => {
  const functions = Object.entries(Tuning).filter(([, value]) => typeof value === 'function');
  expect(functions.map(([name]) => `Tuning.${name}`).toSorted()).toEqual(Object.keys(TUNING).toSorted());
  expect(Object.isFrozen(Tuning)).toBe(true);
});

test('all methods of exported classes are here', () => {
  const methods = Object.values(library).flatMap((value) => {
    if (!isClass(value) || (value as { prototype: unknown }).prototype instanceof Error) return [];
    const { name, prototype } = value as unknown as { name: string; prototype: object };
    return Object.getOwnPropertyNames(prototype).map((method) => `${name}.${method}`);
  });
  const open = methods.filter((name) => !name.endsWith('.constructor') && !BARE.test(name));
  expect(open.toSorted()).toEqual([...Object.keys(METHODS), ...INTERNAL].toSorted());
});
