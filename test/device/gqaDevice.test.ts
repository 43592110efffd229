// gqaDevice.test.ts: opening, borrowing and losing a device, and where its errors come out.
import { describe, expect, test, vi } from 'vitest';
import { openGpu } from '#gpu';
import {
  borrowDevice,
  createDecoder,
  createKvCache,
  createStorage,
  DestroyedError,
  DeviceLostError,
  GpuError,
  GqaError,
  isSoftware,
  NoAdapterError,
  openDevice,
  readBack,
  uploadStorage,
  type GqaDevice,
} from '../../src/index.ts';
import { failure, message } from '../support/failure.ts';
import { ownDevice } from '../support/ownDevice.ts';

/** A device as its owner makes it, without the library. The owner keeps it reachable, as Dawn demands. */
const owned: unknown[] = [];
async function rawDevice(): Promise<GPUDevice> {
  const gpu = await openGpu();
  const adapter = await gpu.requestAdapter();
  const device = await adapter!.requestDevice();
  owned.push(gpu, adapter, device, device.lost);
  return device;
}

/** Provokes one validation error: a buffer of no known usage. */
function provoke(device: GPUDevice, label: string): void {
  device.createBuffer({ label, size: 4, usage: 0x8000 });
}

describe('openDevice', () => {
  test('gives a device of our own with facts of its limits', async () => {
    using device = await ownDevice();
    const { limits, features } = device.gpu;
    expect(device.owned).toBe(true);
    expect(device.facts).toMatchObject({
      subgroups: features.has('subgroups'),
      maxWorkgroupStorage: limits.maxComputeWorkgroupStorageSize,
      maxBindingBytes: limits.maxStorageBufferBindingSize,
      maxBufferBytes: limits.maxBufferSize,
      maxGrid: limits.maxComputeWorkgroupsPerDimension,
    });
    expect(device.facts.maxInvocations).toBeLessThanOrEqual(limits.maxComputeWorkgroupSizeX);
    expect(device.facts.maxInvocations).toBeLessThanOrEqual(limits.maxComputeInvocationsPerWorkgroup);
    expect(device.facts.software).toBe(isSoftware(device.gpu.adapterInfo));
  });

  test('knows the vendor, and the sizes of subgroups or the range that WGSL allows', async () => {
    using device = await ownDevice(['subgroups']);
    const { vendor, subgroupMinSize = 4, subgroupMaxSize = 128 } = device.gpu.adapterInfo;
    expect(device.facts).toMatchObject({ vendor, subgroupMinSize, subgroupMaxSize });
  });

  test('without subgroup_id in the host’s WGSL it does without subgroups', async () => {
    using device = await ownDevice(['subgroups']);
    const has = device.gpu.features.has('subgroups');
    const borrowed = (features?: ReadonlySet<string>) => borrowDevice(device.gpu, features).facts.subgroups;
    expect(borrowed()).toBe(has);
    expect(borrowed(new Set(['subgroup_id', 'packed_4x8_integer_dot_product']))).toBe(has);
    expect(borrowed(new Set(['packed_4x8_integer_dot_product']))).toBe(false);
  });

  test('without a descriptor asks for all that makes kernels faster', async () => {
    const gpu = await openGpu();
    const adapter = (await gpu.requestAdapter())!;
    using device = await openDevice(gpu);
    expect(device.gpu.features.has('subgroups')).toBe(adapter.features.has('subgroups'));
    for (const limit of [
      'maxBufferSize',
      'maxStorageBufferBindingSize',
      'maxComputeWorkgroupStorageSize',
      'maxComputeInvocationsPerWorkgroup',
      'maxComputeWorkgroupSizeX',
    ] as const) {
      expect(device.gpu.limits[limit]).toBe(adapter.limits[limit]);
    }
  });

  test('asks for what the descriptor names, from the adapter it will open', async () => {
    const gpu = await openGpu();
    let seen: GPUAdapter | undefined;
    const descriptor = (adapter: GPUAdapter) => {
      seen = adapter;
      return { label: 'mine', requiredLimits: { maxComputeWorkgroupsPerDimension: 65535 } };
    };
    using device = await openDevice(gpu, { descriptor });
    expect(device.gpu.label).toBe('mine');
    expect(seen!.features.size).toBeGreaterThanOrEqual(device.gpu.features.size);
  });

  test.each<[unknown, RegExp]>([
    [undefined, /expected a GPU object, got undefined\.\n.* https:\/\/ .* nodeGpu\(\) of "gqa-webgpu\/node"/],
    [null, /got null\.\n.* https:\/\/ /],
    [Promise.resolve(), /got a promise, which must be awaited first/],
    [{ gpu: {} }, /got an object\.\n.*pass the `gpu` that it holds/],
    ['high-performance', /got "high-performance"\./],
  ])('%o for a GPU object: NoAdapterError, which says where one comes from', async (gpu, words) => {
    expect(await message(NoAdapterError, () => openDevice(gpu as undefined))).toMatch(words);
  });

  test('borrowing what is no device: NoAdapterError', async () => {
    for (const none of [undefined, Promise.resolve(), {}]) {
      const borrow = () => borrowDevice(none as unknown as GPUDevice);
      expect(await message(NoAdapterError, borrow)).toMatch(/^borrowDevice: expected a GPUDevice, got /);
    }
  });

  test('without an adapter: NoAdapterError; the power preference is passed on', async () => {
    const requestAdapter = vi.fn(async () => null);
    const gpu = { requestAdapter } as unknown as GPU;
    expect(await message(NoAdapterError, () => openDevice(gpu))).toMatch(/no WebGPU adapter/);
    expect(requestAdapter).toHaveBeenLastCalledWith(undefined);
    await failure(NoAdapterError, () => openDevice(gpu, { powerPreference: 'low-power' }));
    expect(requestAdapter).toHaveBeenLastCalledWith({ powerPreference: 'low-power' });
  });
});

test('software adapters are known by the flag or by name', () => {
  const info = { vendor: '', architecture: '', device: '', description: '', isFallbackAdapter: false };
  const software = (part: object) => isSoftware({ ...info, ...part } as GPUAdapterInfo);
  expect(software({ vendor: 'nvidia', description: 'NVIDIA H100' })).toBe(false);
  expect(software({ isFallbackAdapter: true })).toBe(true);
  expect(software({ architecture: 'swiftshader' })).toBe(true);
  expect(software({ description: 'llvmpipe (LLVM 19, 256 bits)' })).toBe(true);
  expect(software({ description: 'Microsoft Basic Render Driver' })).toBe(true);
});

describe('destroy', () => {
  test('is idempotent, resolves `lost`, and every later call throws', async () => {
    const device = await ownDevice();
    const cache = await createKvCache(device, { numKvHeads: 1, headDim: 64, capacity: 4 });
    const row = createStorage(device, 'row', 256);
    device.destroy();
    device.destroy();
    device[Symbol.dispose]();
    const lost = await device.lost;
    expect(lost).toBeInstanceOf(DeviceLostError);
    expect(lost.reason).toBe('destroyed');
    for (const act of [
      () => device.assertUsable(),
      () => device.idle(),
      () => createKvCache(device, { numKvHeads: 1, headDim: 64, capacity: 4 }),
      () => createDecoder(device, { cache, numQHeads: 1 }),
      () => cache.append({ k: row, v: row }),
      () => cache.kvLens(),
      () => readBack(device, row),
      () => createStorage(device, 'more', 16),
      () => uploadStorage(device, 'more', new Float32Array(4)),
    ]) {
      expect(await message(DestroyedError, act)).toBe('the device was destroyed and cannot be used any more');
    }
    cache.destroy();
  });

  test('leaves a borrowed device alive', async () => {
    const raw = await rawDevice();
    const borrowed = borrowDevice(raw);
    expect(borrowed.owned).toBe(false);
    const destroy = vi.spyOn(raw, 'destroy');
    borrowed.destroy();
    borrowed.destroy();
    expect(destroy).not.toHaveBeenCalled();
    destroy.mockRestore();
    await failure(DestroyedError, () => borrowed.idle());
    // Another wrapper of the same device still computes.
    const again = borrowDevice(raw);
    const buffer = uploadStorage(again, 'x', Float32Array.of(3, 4));
    expect(new Float32Array(await readBack(again, buffer))).toEqual(Float32Array.of(3, 4));
    raw.destroy();
    await raw.lost;
  });
});

describe('loss', () => {
  const uses = async (device: GqaDevice) => {
    const cache = await createKvCache(device, { numKvHeads: 1, headDim: 64, capacity: 4 });
    const decoder = await createDecoder(device, { cache, numQHeads: 1 });
    const row = createStorage(device, 'row', 256);
    const step = await decoder.bind({ q: row, o: createStorage(device, 'o', 256) });
    const plan = decoder.plan({ kvLens: [0] });
    return [
      () => device.assertUsable(),
      () => device.idle(),
      () => readBack(device, row),
      () => createKvCache(device, { numKvHeads: 1, headDim: 64, capacity: 4 }),
      () => createDecoder(device, { cache, numQHeads: 1 }),
      () => cache.append({ k: row, v: row }),
      () => cache.truncate(0),
      () => decoder.bind({ q: row, o: row }),
      () => step.run(plan),
    ];
  };

  test.each(['owned', 'borrowed'])(
    'of an %s device: `lost` resolves, later calls throw it',
    async (which) => {
      const device = which === 'owned' ? await ownDevice() : borrowDevice(await rawDevice());
      const later = await uses(device);
      device.gpu.destroy();
      const lost = await device.lost;
      expect(lost).toBeInstanceOf(DeviceLostError);
      expect(lost.reason).toBe('destroyed');
      expect(lost.message).toMatch(/^device lost \(destroyed\): ./);
      for (const act of later) expect(await failure(DeviceLostError, act)).toBe(lost);
      device.destroy();
    },
  );

  test('in the middle of a read-back: DeviceLostError, not the host’s own', async () => {
    const device = await ownDevice();
    const buffer = createStorage(device, 'x', 1024);
    const reading = readBack(device, buffer);
    device.gpu.destroy();
    await failure(DeviceLostError, () => reading);
    device.destroy();
  });

  test('in the middle of a read-back, on a host that is slow to say so: the same', async () => {
    const raw = await rawDevice();
    const later = raw.lost.then(
      (info) => new Promise<GPUDeviceLostInfo>((resolve) => setTimeout(() => resolve(info), 300)),
    );
    Object.defineProperty(raw, 'lost', { value: later });
    const device = borrowDevice(raw);
    const reading = readBack(device, createStorage(device, 'x', 1024));
    raw.destroy();
    await failure(DeviceLostError, () => reading);
    device.destroy();
  });
});

describe('errors that nobody asked about', () => {
  test('of our own device come out of the next call, as GpuError', async () => {
    using device = await ownDevice();
    provoke(device.gpu, 'first');
    const error = await failure(GpuError, () => device.idle());
    expect(error.message).toMatch(/usage/i);
    expect(error.message).not.toContain('\0');
    expect(error.cause).toBeDefined();
    await device.idle(); // told once
  });

  test('also out of calls that only keep books', async () => {
    using device = await ownDevice();
    const cache = await createKvCache(device, { numKvHeads: 1, headDim: 64, capacity: 4 });
    provoke(device.gpu, 'first');
    await device.gpu.queue.onSubmittedWorkDone();
    await vi.waitFor(() => expect(() => cache.kvLens()).toThrow(GpuError));
    expect(cache.kvLens()).toEqual([0]);
  });

  test('of a borrowed device stay its owner’s', async () => {
    const raw = await rawDevice();
    const heard = vi.fn((event: GPUUncapturedErrorEvent) => event.preventDefault());
    raw.addEventListener('uncapturederror', heard);
    const borrowed = borrowDevice(raw);
    provoke(raw, 'theirs');
    await borrowed.idle();
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(1));
    await borrowed.idle();
    raw.destroy();
    await raw.lost;
  });
});

test('every error of the library is a GqaError with a stable code and its own name', async () => {
  using device = await ownDevice();
  const error = await failure(NoAdapterError, () =>
    openDevice({ requestAdapter: async () => null } as unknown as GPU),
  );
  expect(error).toBeInstanceOf(GqaError);
  expect([error.name, error.code]).toEqual(['NoAdapterError', 'no-adapter']);
  device.destroy();
  const gone = await failure(DestroyedError, () => device.assertUsable());
  expect([gone.name, gone.code]).toEqual(['DestroyedError', 'destroyed']);
});
