// bindLayers.test.ts: all layers bound with one wait do what layers bound one by one do; one that is refused binds none.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  createDecoder,
  createKvCache,
  createStorage,
  ForeignDeviceError,
  readBack,
  ShapeError,
  uploadStorage,
  type Decoder,
  type GqaDevice,
  type KvCache,
} from '../../src/index.ts';
import { normals } from '../../src/numbers/random.ts';
import { ownDevice } from '../support/ownDevice.ts';
import { message } from '../support/failure.ts';

const LAYERS = 3;
const ROW = 64;
let device: GqaDevice;
let cache: KvCache;
let decoder: Decoder;
const upload = (seed: number) => uploadStorage(device, 'row', normals(seed, ROW));
const output = (bytes = ROW * 4) => createStorage(device, 'o', bytes);
const floats = async (buffer: GPUBuffer) => new Float32Array(await readBack(device, buffer));

beforeAll(async () => {
  device = await ownDevice();
  cache = await createKvCache(device, { numKvHeads: 1, headDim: ROW, capacity: 8, layers: LAYERS });
  decoder = await createDecoder(device, { cache, numQHeads: 1, kernel: 'tiles' });
});
afterAll(() => device.destroy());

const all = <T>(make: (layer: number) => T) => Array.from({ length: LAYERS }, (_, layer) => make(layer));

describe('all layers with one wait', () => {
  test('each gets its own rows, those that are told their layer another order too', async () => {
    const rows = all((layer) => ({ k: upload(layer), v: upload(10 + layer) }));
    const o = all(() => output());
    const again = all(() => output());
    const lse = output(4);
    const q = upload(20);
    const appends = await cache.bindAppends(rows);
    const steps = await decoder.bindLayers(o.map((each, i) => ({ q, o: each, ...(i === 1 && { lse }) })));
    const backwards = await decoder.bindLayers(
      again.map((each, i) => ({ layer: LAYERS - 1 - i, q, o: each })),
    );
    const encoder = device.gpu.createCommandEncoder();
    for (const append of appends) append.record(encoder);
    const plan = decoder.plan({ kvLens: [1] });
    for (const step of [...steps, ...backwards]) step.record(encoder, plan);
    device.gpu.queue.submit([encoder.finish()]);
    // One key has all the weight: the output is its value.
    for (const [layer, { v }] of rows.entries()) {
      expect(await floats(o[layer]!)).toEqual(await floats(v));
      expect(await floats(again[LAYERS - 1 - layer]!)).toEqual(await floats(v));
    }
    expect((await floats(lse))[0]).not.toBe(0);
    await device.idle();
  });

  test('there is one error scope for all', async () => {
    const push = vi.spyOn(device.gpu, 'pushErrorScope');
    const rows = all(() => ({ k: upload(1), v: upload(2) }));
    const steps = all(() => ({ q: upload(3), o: output() }));
    push.mockClear();
    await cache.bindAppends(rows);
    expect(push).toHaveBeenCalledTimes(1);
    // Compiling has scopes of its own, the first time.
    await decoder.bindLayers(steps);
    push.mockClear();
    await decoder.bindLayers(steps);
    expect(push).toHaveBeenCalledTimes(1);
    push.mockRestore();
  });
});

describe('a list that is refused', () => {
  const good = () => ({ q: upload(3), o: output() });
  const row = () => ({ k: upload(1), v: upload(2) });

  test('says which of the list', async () => {
    expect(await message(ShapeError, () => decoder.bindLayers([good(), { ...good(), q: output(8) }]))).toBe(
      'bindLayers: layers[1]: q: expected 256 bytes, got 8',
    );
    expect(await message(ShapeError, () => cache.bindAppends([row(), { ...row(), v: output(8) }]))).toBe(
      'bindAppends: layers[1]: v: expected 256 bytes, got 8',
    );
    expect(await message(ShapeError, () => decoder.bindLayers([undefined as never]))).toBe(
      'bindLayers: layers[0]: expected an object of options, got undefined',
    );
  });

  test('has more entries than the cache has layers', async () => {
    const four = [0, 1, 2, 3];
    expect(await message(ShapeError, () => decoder.bindLayers(four.map(good)))).toBe(
      'bindLayers: layers[3]: layer: expected a whole number from 0 to 2, got 3',
    );
    expect(await message(ShapeError, () => cache.bindAppends(four.map(row)))).toBe(
      'bindAppends: layers[3]: layer: expected a whole number from 0 to 2, got 3',
    );
  });

  test('is empty or no list', async () => {
    expect(await message(ShapeError, () => decoder.bindLayers([]))).toBe(
      'bindLayers: layers: expected a list of at least one, got an array of 0',
    );
    expect(await message(ShapeError, () => cache.bindAppends(row() as never))).toBe(
      'bindAppends: layers: expected a list of at least one, got an object',
    );
  });

  test('has a buffer of another device', async () => {
    using other = await ownDevice();
    const far = createStorage(other, 'far', ROW * 4);
    await message(ForeignDeviceError, () => decoder.bindLayers([good(), { ...good(), q: far }]));
    await message(ForeignDeviceError, () => cache.bindAppends([row(), { ...row(), k: far }]));
  });
});
