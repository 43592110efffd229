// kvCacheLife.test.ts: a cache's memory: what is allocated, what is refused before that, and a cache's end.
import { beforeAll, describe, expect, test, vi } from 'vitest';
import {
  createKvCache,
  createStorage,
  DestroyedError,
  LimitExceededError,
  type GqaDevice,
} from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { failure, message } from '../support/failure.ts';
import { ownDevice } from '../support/ownDevice.ts';

let device: GqaDevice;
beforeAll(async () => {
  device = await testDevice();
});

test('buffers have exactly the bytes of the layout, a pair for each layer', async () => {
  const options = {
    batch: 2,
    numKvHeads: 3,
    headDim: 80,
    capacity: 5,
    layers: 2,
    kType: 'f16',
    vType: 'f32',
  } as const;
  const cache = await createKvCache(device, options);
  // 2 * 3 * 5 * 80 = 2,400 elements
  expect(cache.layers.map(({ k, v }) => [k.size, v.size])).toEqual([
    [4800, 9600],
    [4800, 9600],
  ]);
  expect(new Set(cache.layers.flatMap(({ k, v }) => [k, v])).size).toBe(4);
  expect([cache.kvLens(0), cache.kvLens(1)]).toEqual([
    [0, 0],
    [0, 0],
  ]);
  cache.destroy();
});

describe('after destroy', () => {
  test('every method throws, destroy itself does not', async () => {
    const options = { batch: 2, numKvHeads: 1, headDim: 64, capacity: 8 };
    const cache = await createKvCache(device, options);
    const row = createStorage(device, 'row', 512);
    const stored = new Float32Array(1024);
    const bound = await cache.bindAppend({ k: row, v: row });
    const encoder = device.gpu.createCommandEncoder();
    cache.destroy();
    cache.destroy();
    cache[Symbol.dispose]();
    const expected = 'the kv cache was destroyed and cannot be used any more';
    for (const act of [
      () => cache.kvLens(),
      () => cache.truncate(0),
      () => cache.load({ k: stored, v: stored, kvLens: [0, 0] }),
      () => cache.append({ k: row, v: row }),
      () => cache.bindAppend({ k: row, v: row }),
      () => bound.record(encoder),
      () => cache.assertUsable(),
    ]) {
      expect(await message(DestroyedError, act)).toBe(expected);
    }
    device.gpu.queue.submit([encoder.finish()]);
    await device.idle();
  });
});

describe('a cache with heads larger than a binding', () => {
  // 128 * 262,145 elements of 4 bytes of each head: one slot more than the guaranteed 128 MiB.
  const options = { numKvHeads: 8, headDim: 128, capacity: 262_145 };

  test('is refused with both numbers before anything is allocated', async () => {
    using small = await ownDevice();
    const create = vi.spyOn(small.gpu, 'createBuffer');
    const error = await failure(LimitExceededError, () => createKvCache(small, options));
    expect(error.message).toBe(
      'kv cache: K of one KV head of a sequence: maxStorageBufferBindingSize needed 134218240, available 134217728; ' +
        'in pages (`pageSize`) it would fit',
    );
    expect([error.limit, error.needed, error.available]).toEqual([
      'maxStorageBufferBindingSize',
      134218240,
      134217728,
    ]);
    expect(create).not.toHaveBeenCalled();
  });

  test('names V where only V is too large', async () => {
    using small = await ownDevice();
    const create = vi.spyOn(small.gpu, 'createBuffer');
    const error = await failure(LimitExceededError, () =>
      createKvCache(small, { ...options, kType: 'f16', vType: 'f32' }),
    );
    expect(error.message).toContain(
      'V of one KV head of a sequence: maxStorageBufferBindingSize needed 134218240',
    );
    expect(create).not.toHaveBeenCalled();
  });
});

test('an append of more tokens than a dispatch has workgroups is refused, and nothing is counted', async () => {
  using own = await ownDevice();
  const options = { numKvHeads: 1, headDim: 64, capacity: 131072, kType: 'f16' } as const;
  const cache = await createKvCache(own, options);
  // A workgroup writes two slots, and there is one more where the first is half old; the guaranteed most is 65,535.
  const rows = createStorage(own, 'rows', 131070 * 256);
  const error = await failure(LimitExceededError, () =>
    cache.append({ k: rows, v: rows, numTokens: 131070 }),
  );
  expect(error).toMatchObject({
    limit: 'maxComputeWorkgroupsPerDimension',
    needed: 65536,
    available: own.gpu.limits.maxComputeWorkgroupsPerDimension,
  });
  expect(cache.kvLens()).toEqual([0]);
});
