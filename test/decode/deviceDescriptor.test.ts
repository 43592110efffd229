// deviceDescriptor.test.ts: the features and limits that a shape asks an adapter for.
import { expect, test } from 'vitest';
import { openGpu } from '#gpu';
import {
  createKvCache,
  deviceDescriptor,
  LimitExceededError,
  openDevice,
  ShapeError,
  type DeviceNeeds,
} from '../../src/index.ts';
import { failure, message } from '../support/failure.ts';

const MIB = 2 ** 20;

const WORKGROUPS = {
  maxComputeWorkgroupStorageSize: 49_152,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupSizeX: 1024,
};

/** What deviceDescriptor reads of an adapter. */
function adapter(
  maxStorageBufferBindingSize: number,
  maxBufferSize: number,
  features: GPUFeatureName[] = [],
) {
  const limits = { maxStorageBufferBindingSize, maxBufferSize, ...WORKGROUPS, maxBindGroups: 8 };
  const parts = { features: new Set(features), limits };
  return parts as unknown as Pick<GPUAdapter, 'features' | 'limits'>;
}

const roomy = adapter(4096 * MIB, 4096 * MIB, ['subgroups', 'shader-f16', 'timestamp-query']);
const bare = adapter(128 * MIB, 256 * MIB);

/** K and V of 8 * 128 * 4 = 4,096 bytes a slot: 32,768 slots make 128 MiB. */
const needs = (capacity: number, more: Partial<DeviceNeeds> = {}): DeviceNeeds => ({
  numQHeads: 32,
  numKvHeads: 8,
  headDim: 128,
  capacity,
  ...more,
});

const buffersOf = (given: DeviceNeeds, of: Pick<GPUAdapter, 'features' | 'limits'> = roomy) => {
  const { requiredLimits } = deviceDescriptor(of, given);
  expect(requiredLimits).toMatchObject(WORKGROUPS);
  return Object.fromEntries(Object.entries(requiredLimits).filter(([name]) => !(name in WORKGROUPS)));
};

test('a small shape asks for large workgroups, and subgroups where there are some', () => {
  expect(deviceDescriptor(bare, needs(4096))).toEqual({ requiredFeatures: [], requiredLimits: WORKGROUPS });
  expect(deviceDescriptor(roomy, needs(4096))).toEqual({
    requiredFeatures: ['subgroups'],
    requiredLimits: WORKGROUPS,
  });
});

test('exactly the guaranteed limit is still nothing', () => {
  expect(buffersOf(needs(32768))).toEqual({});
});

test('a slot more asks for exactly the bytes of K', () => {
  expect(buffersOf(needs(32769))).toEqual({
    maxStorageBufferBindingSize: 128 * MIB + 4096,
  });
});

test('past 256 MiB the buffer limit is asked for as well; a layer is in two buffers only beyond what the adapter has', () => {
  const large = needs(70_000, { layers: 80 });
  expect(buffersOf(large)).toEqual({
    maxStorageBufferBindingSize: 286_720_000,
    maxBufferSize: 286_720_000,
  });
});

test('heads that exceed the adapter are spread over bindings, each within its limits', () => {
  const large = needs(70_000);
  expect(buffersOf(large, bare)).toEqual({});
  expect(buffersOf(large, adapter(200 * MIB, 200 * MIB))).toEqual({
    maxStorageBufferBindingSize: 143_360_000,
  });
});

test('the larger of K and V counts, in its element type', () => {
  expect(buffersOf(needs(60_000, { kType: 'f16' }))).toEqual({});
  expect(buffersOf(needs(60_000, { kType: 'f16', vType: 'f32' }))).toEqual({
    maxStorageBufferBindingSize: 245_760_000,
  });
  // 8 heads * 200,000 slots of 128 bytes and a scale of 2: scales count too.
  expect(buffersOf(needs(200_000, { kType: 'int8' }))).toEqual({
    maxStorageBufferBindingSize: 208_000_000,
  });
  // 64 bytes and four scales.
  expect(buffersOf(needs(200_000, { kType: 'int4' }))).toEqual({});
});

test('more than the adapter has: the limit, what is needed, what is available', async () => {
  const error = await failure(LimitExceededError, () => deviceDescriptor(bare, needs(262_145)));
  expect(error.message).toBe(
    'deviceDescriptor: K of one KV head of a sequence: maxStorageBufferBindingSize needed 134218240, available 134217728; ' +
      'in pages (`pageSize`) it would fit',
  );
  expect(error).toMatchObject({
    limit: 'maxStorageBufferBindingSize',
    needed: 134_218_240,
    available: 134_217_728,
  });
  const narrow = adapter(4096 * MIB, 256 * MIB);
  const buffer = await failure(LimitExceededError, () => deviceDescriptor(narrow, needs(525_000)));
  expect(buffer).toMatchObject({ limit: 'maxBufferSize', needed: 268_800_000, available: 256 * MIB });
});

test.each<[Partial<DeviceNeeds>, string]>([
  [{ numQHeads: 30 }, 'numQHeads (30) must be a multiple of numKvHeads (8)'],
  [{ headDim: 100 }, 'headDim: expected a multiple of 8 from 8 to 512, got 100'],
  [{ capacity: 0 }, 'capacity: expected a whole number from 1 to 16777216, got 0'],
  [{ kType: 'int16' as never }, 'kType must be one of f32, f16, bf16, int8, int4, got "int16"'],
])('bad numbers: %o', async (wrong, expected) => {
  expect(await message(ShapeError, () => deviceDescriptor(roomy, needs(16, wrong)))).toContain(expected);
});

test('what it returns opens a device that holds the cache', async () => {
  const small = { numKvHeads: 8, headDim: 128, capacity: 64 };
  const descriptor = (real: GPUAdapter) => deviceDescriptor(real, { ...small, numQHeads: 32 });
  using device = await openDevice(await openGpu(), { descriptor });
  const cache = await createKvCache(device, small);
  expect(cache.layout.kBytes).toBe(262_144);
  cache.destroy();
});

test('on this adapter: a cache past the guaranteed limit, in one binding or in two', async () => {
  const large = needs(32769);
  const gpu = await openGpu();
  const real = (await gpu.requestAdapter())!;
  if (real.limits.maxStorageBufferBindingSize < 128 * MIB + 4096) {
    expect(deviceDescriptor(real, large).requiredLimits).not.toHaveProperty('maxStorageBufferBindingSize');
    return;
  }
  using device = await openDevice(gpu, { descriptor: (adapterNow) => deviceDescriptor(adapterNow, large) });
  expect(device.facts.maxBindingBytes).toBe(128 * MIB + 4096);
});
