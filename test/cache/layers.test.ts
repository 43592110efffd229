// layers.test.ts: where the layers of a cache lie: in few buffers, at multiples of 256 bytes, and never in one another's place.
import { describe, expect, test } from 'vitest';
import { createLayers } from '../../src/cache/layers.ts';
import {
  cacheLayout,
  createDecoder,
  createKvCache,
  createStorage,
  readBack,
  uploadStorage,
} from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { GPU_FACTS } from '../support/deviceFacts.ts';

const MIB = 2 ** 20;

function layersOf(options: Parameters<typeof cacheLayout>[0], maxBufferBytes = 4096 * MIB) {
  const made: { label: string; size: number }[] = [];
  const layout = cacheLayout(options);
  const layers = createLayers(layout, { ...GPU_FACTS, maxBufferBytes }, (label, size) => {
    const buffer = { label, size };
    made.push(buffer);
    return buffer as unknown as GPUBuffer;
  });
  return { layout, layers, made };
}

describe('createLayers', () => {
  test('thousands of small layers lie in a handful of buffers', () => {
    const { layers, made, layout } = layersOf({ numKvHeads: 1, headDim: 64, capacity: 64, layers: 8192 });
    expect(layout.kBytes).toBe(16384);
    expect(layers).toHaveLength(8192);
    expect(made).toHaveLength(4); // 128 MiB of K and of V
    expect(made.map(({ size }) => size)).toEqual([64 * MIB, 64 * MIB, 64 * MIB, 64 * MIB]);
    expect(made.map(({ label }) => label)).toEqual([
      'k_cache layers 0 to 4095',
      'k_cache layers 4096 to 8191',
      'v_cache layers 0 to 4095',
      'v_cache layers 4096 to 8191',
    ]);
  });

  test.each([
    ['f32', { numKvHeads: 2, headDim: 80, capacity: 5, layers: 37 }],
    [
      'int8 and int4',
      { batch: 3, numKvHeads: 1, headDim: 80, capacity: 7, layers: 9, kType: 'int8', vType: 'int4' },
    ],
    ['of 63 MiB', { numKvHeads: 63, headDim: 64, capacity: 4096, layers: 5 }],
    ['of 64 MiB', { numKvHeads: 64, headDim: 64, capacity: 4096, layers: 3 }],
    ['of 65 MiB', { numKvHeads: 65, headDim: 64, capacity: 4096, layers: 3 }],
    ['of 30 MiB', { numKvHeads: 30, headDim: 64, capacity: 4096, layers: 7 }],
  ] as const)('ranges are aligned, whole and apart: %s', (_name, options) => {
    const { layers, made, layout } = layersOf(options);
    const ranges = layers.flatMap(({ k, v }) => [
      { ...k, bytes: layout.kBytes },
      { ...v, bytes: layout.vBytes },
    ]);
    const ends = new Map<GPUBuffer, number>();
    for (const { buffer, offset, size, bytes } of ranges.toSorted((a, b) => a.offset - b.offset)) {
      expect(size).toBe(bytes);
      expect(offset % 256).toBe(0);
      expect(offset).toBeGreaterThanOrEqual(ends.get(buffer) ?? 0);
      ends.set(buffer, offset + size);
    }
    for (const buffer of made) expect(ends.get(buffer as unknown as GPUBuffer)).toBe(buffer.size);
    const total = made.reduce((sum, { size }) => sum + size, 0);
    expect(total - layout.totalBytes).toBeLessThan(2 * 256 * layout.layers);
    for (const { k, v } of layers) expect(k.buffer).not.toBe(v.buffer);
  });

  test('no buffer is larger than the device allows, or than 64 MiB where layers share it', () => {
    const options = { numKvHeads: 30, headDim: 64, capacity: 4096, layers: 7 };
    expect(layersOf(options).made.map(({ size }) => size / MIB)).toEqual([60, 60, 60, 30, 60, 60, 60, 30]);
    expect(layersOf(options, 45 * MIB).made.map(({ size }) => size / MIB)).toEqual(Array(14).fill(30));
  });
});

test('layers in one buffer are independent, to the byte', async () => {
  const device = await testDevice();
  using cache = await createKvCache(device, {
    numKvHeads: 1,
    headDim: 80,
    capacity: 2,
    layers: 5,
    kType: 'f32',
    vType: 'int8',
  });
  const { kBytes, vBytes } = cache.layout;
  expect([kBytes, vBytes]).toEqual([640, 176]);
  expect(new Set(cache.layers.flatMap(({ k, v }) => [k.buffer, v.buffer])).size).toBe(2);
  expect(cache.allocatedBytes).toBe(4 * (768 + 256) + 640 + 176);
  for (let layer = 0; layer < 5; layer++) {
    cache.load({
      layer,
      k: new Uint8Array(kBytes).fill(layer + 1),
      v: new Uint8Array(vBytes).fill(layer + 11),
      kvLens: [0],
    });
  }
  const row = uploadStorage(device, 'row', new Float32Array(80).fill(127));
  await cache.append({ layer: 2, k: row, v: row });
  for (const layer of [0, 1, 3, 4]) {
    const { k, v } = cache.layers[layer]!;
    expect(new Set(new Uint8Array(await readBack(device, k)))).toEqual(new Set([layer + 1]));
    expect(new Set(new Uint8Array(await readBack(device, v)))).toEqual(new Set([layer + 11]));
  }
  const written = new Float32Array(await readBack(device, cache.layers[2]!.k), 0, 80);
  expect(new Set(written)).toEqual(new Set([127]));

  using decoder = await createDecoder(device, { cache, numQHeads: 1 });
  const [q, o] = [createStorage(device, 'q', 320), createStorage(device, 'o', 320)];
  const step = await decoder.bind({ layer: 2, q, o });
  step.run(decoder.plan({ kvLens: [1] }));
  expect(new Set(new Float32Array(await readBack(device, o)))).toEqual(new Set([127]));
});

// Drivers may allow 4,096 allocations: fewer than K and V of all layers.
test('2,200 layers, loaded, appended to and attended over, do not exhaust a driver', async () => {
  const device = await testDevice();
  const layers = 2200;
  using cache = await createKvCache(device, { numKvHeads: 1, headDim: 64, capacity: 2, layers });
  const row = uploadStorage(device, 'row', new Float32Array(64).fill(3));
  using decoder = await createDecoder(device, { cache, numQHeads: 1 });
  const [q, o] = [createStorage(device, 'q', 256), createStorage(device, 'o', 256)];
  const plan = decoder.plan({ kvLens: [1] });
  const encoder = device.gpu.createCommandEncoder();
  for (let layer = 0; layer < layers; layer++) {
    (await cache.bindAppend({ layer, k: row, v: row })).record(encoder);
    (await decoder.bind({ layer, q, o })).record(encoder, plan);
  }
  device.gpu.queue.submit([encoder.finish()]);
  expect(new Float32Array(await readBack(device, o))[0]).toBe(3);
  expect(cache.kvLens(layers - 1)).toEqual([1]);
});

test('a destroyed cache has destroyed all its buffers', async () => {
  const device = await testDevice();
  const cache = await createKvCache(device, { numKvHeads: 65, headDim: 64, capacity: 2048, layers: 3 });
  const buffers = [...new Set(cache.layers.flatMap(({ k, v }) => [k.buffer, v.buffer]))];
  expect(buffers).toHaveLength(6); // of 32.5 MiB
  let destroyed = 0;
  for (const buffer of buffers) {
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      destroyed++;
      return destroy();
    };
  }
  cache.destroy();
  cache.destroy();
  expect(destroyed).toBe(6);
});
