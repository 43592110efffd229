// exportsDevice.ts: a device with a cache, a decoder and what is bound to them, for calls of everything exported.
import { afterAll, beforeAll } from 'vitest';
import { openGpu } from '#gpu';
import {
  bindMerge,
  cacheLayout,
  checkShape,
  createDecoder,
  createKvCache,
  createRope,
  createStorage,
  type BoundAppend,
  type BoundMerge,
  type DecodeStep,
  type Decoder,
  type GqaDevice,
  type KvCache,
  type Rope,
} from '../../src/index.ts';
import { ownDevice } from './ownDevice.ts';

export const SHAPE = { batch: 2, numQHeads: 4, numKvHeads: 2, headDim: 64, qLen: 1, causal: true };
export const CACHE = { batch: 2, numKvHeads: 2, headDim: 64, capacity: 8, layers: 2 };
export const TILES = { template: 'tiles', wgSize: 16, tile: 16, rowBlock: 4, mixWords: 1 };
export const layout = cacheLayout(CACHE);
export const shape = checkShape(SHAPE);

export let gpu: GPU;
export let adapter: GPUAdapter;
export let device: GqaDevice;
export let cache: KvCache;
/** One whose pages its caller allocates. */
export let callers: KvCache;
export let decoder: Decoder;
export let append: BoundAppend;
export let rope: Rope;
export let step: DecodeStep;
export let merge: BoundMerge;

export const buffer = (bytes: number) => createStorage(device, 'buffer', bytes);
export const row = () => ({ k: buffer(1024), v: buffer(1024) });
/** Rows with queries, and what they are turned and normalised by. */
export const turnedRow = () => ({
  ...row(),
  q: buffer(2048),
  numQHeads: 4,
  rope,
  qkNorm: { k: new Float32Array(64), q: new Float32Array(64), eps: 1e-6 },
});
export const rows = () => new Float32Array(4 * 8 * 64);

export const mergeArgs = () => ({
  numStates: 2,
  rows: 1,
  headDim: 64,
  statesO: buffer(512),
  statesLse: buffer(8),
  o: buffer(256),
  lse: buffer(4),
});

/** Opens them before the tests of a file, and destroys them after. */
export function opensAll(): void {
  beforeAll(async () => {
    gpu = await openGpu();
    adapter = (await gpu.requestAdapter())!;
    device = await ownDevice();
    cache = await createKvCache(device, CACHE);
    callers = await createKvCache(device, { ...CACHE, pageSize: 8, pageTables: 'caller' });
    decoder = await createDecoder(device, { cache, numQHeads: 4, kernel: 'tiles', fixedSplits: true });
    append = await cache.bindAppend(row());
    rope = await createRope(device, { headDim: 64, positions: 8 });
    step = await decoder.bind({ q: buffer(2048), o: buffer(2048) });
    merge = await bindMerge(device, mergeArgs());
  });
  afterAll(() => device.destroy());
}

/** What the library gave is checked for what is read of it alone. */
export function isOpen(value: object): boolean {
  const given: readonly unknown[] = [layout.k, layout, shape, device.facts, decoder.context];
  return !given.includes(value) && !('dispatches' in value);
}
