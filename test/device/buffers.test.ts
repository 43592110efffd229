// buffers.test.ts: storage buffers out and in again, whole and in parts, and what their helpers refuse.
import { beforeAll, describe, expect, test } from 'vitest';
import {
  borrowDevice,
  createStorage,
  ForeignDeviceError,
  GpuError,
  LimitExceededError,
  readBack,
  ShapeError,
  uploadStorage,
  type GqaDevice,
} from '../../src/index.ts';
import { allocated } from '../../src/device/buffers.ts';
import { testDevice } from '../support/device.ts';
import { failure } from '../support/failure.ts';
import { ownDevice } from '../support/ownDevice.ts';

let device: GqaDevice;
beforeAll(async () => {
  device = await testDevice();
});

describe('createStorage', () => {
  test('gives a zeroed, labelled buffer that can be stored to and copied both ways', async () => {
    const buffer = createStorage(device, 'scratch', 64);
    expect([buffer.label, buffer.size, buffer.usage]).toEqual(['scratch', 64, 0x80 | 0x4 | 0x8]);
    expect(new Uint8Array(await readBack(device, buffer))).toEqual(new Uint8Array(64));
  });

  test('never gives less than one word', () => {
    expect(createStorage(device, 'empty', 0).size).toBe(4);
  });

  test('refuses more bytes than a binding may have', async () => {
    using small = await ownDevice();
    const error = await failure(LimitExceededError, () => createStorage(small, 'huge', 2 ** 27 + 4));
    expect(error.message).toBe('huge: maxStorageBufferBindingSize needed 134217732, available 134217728');
    expect(error).toMatchObject({
      limit: 'maxStorageBufferBindingSize',
      needed: 2 ** 27 + 4,
      available: 2 ** 27,
      code: 'limit-exceeded',
    });
  });
});

describe('upload and read back', () => {
  test('give the bytes, of any view', async () => {
    const values = Float32Array.of(1.5, -0, NaN, Infinity);
    expect(new Float32Array(await readBack(device, uploadStorage(device, 'x', values)))).toEqual(values);
    const part = new Uint16Array([9, 1, 2, 3, 4]).subarray(1);
    expect(new Uint16Array(await readBack(device, uploadStorage(device, 'y', part)))).toEqual(
      Uint16Array.of(1, 2, 3, 4),
    );
  });

  test('read a part', async () => {
    const buffer = uploadStorage(device, 'x', Uint32Array.of(0, 1, 2, 3, 4));
    const read = async (arg: Parameters<typeof readBack>[1]) =>
      Array.from(new Uint32Array(await readBack(device, arg)));
    expect(await read({ buffer, offset: 4, size: 8 })).toEqual([1, 2]);
    expect(await read({ buffer, offset: 12 })).toEqual([3, 4]);
    expect(await read({ buffer, size: 4 })).toEqual([0]);
    expect(await read({ buffer })).toEqual([0, 1, 2, 3, 4]);
  });

  test('wait for the work before them, and give a copy of their own', async () => {
    const buffer = uploadStorage(device, 'x', Uint32Array.of(1));
    const first = new Uint32Array(await readBack(device, buffer));
    device.device.queue.writeBuffer(buffer, 0, Uint32Array.of(2));
    const second = new Uint32Array(await readBack(device, buffer));
    expect([first[0], second[0]]).toEqual([1, 2]);
  });
});

// Each of these would otherwise come back as zeros.
describe('readBack refuses', () => {
  test('a buffer of another device', async () => {
    using devices = await pair();
    const [a, b] = devices;
    const foreign = uploadStorage(b, 'theirs', Uint32Array.of(7));
    await failure(ForeignDeviceError, () => readBack(a, foreign));
    await a.idle();
  });

  test('a buffer of another device, on a borrowed one', async () => {
    using devices = await pair();
    const [a, b] = devices;
    const foreign = uploadStorage(b, 'theirs', Uint32Array.of(7));
    await failure(ForeignDeviceError, () => readBack(borrowDevice(a.device), foreign));
  });

  test('a buffer that cannot be copied from', async () => {
    using own = await ownDevice();
    const buffer = own.device.createBuffer({ label: 'locked', size: 16, usage: 0x80 });
    const error = await failure(GpuError, () => readBack(own, buffer));
    expect(error.message).toContain('locked');
    await own.idle();
  });

  test.each([
    [{ offset: 2, size: 8 }],
    [{ offset: 0, size: 6 }],
    [{ offset: 0, size: 20 }],
    [{ offset: 32 }],
    [{ offset: -4 }],
  ])('the part %o of 16 bytes', async (part) => {
    using own = await ownDevice();
    const buffer = uploadStorage(own, 'x', Uint32Array.of(1, 2, 3, 4));
    const error = await failure(ShapeError, () => readBack(own, { buffer, ...part }));
    expect(error.message).toContain('x');
    await own.idle();
  });
});

test('memory that cannot be had is an error, and what was made of it is destroyed', async () => {
  using own = await ownDevice();
  // No machine refuses memory at a test's call: the scope is this test's, the rest is real.
  const full = { message: 'no memory left' } as GPUOutOfMemoryError;
  const { device: gpu } = own;
  const scopes: string[] = [];
  gpu.pushErrorScope = (filter) => void scopes.push(filter);
  gpu.popErrorScope = () => Promise.resolve(scopes.pop() ? full : null);
  let destroyed = 0;
  const create = () => ({ destroy: () => void destroyed++ });
  const error = await failure(GpuError, () => allocated(own, 'cache: 12 bytes', create));
  expect(error.message).toBe('cache: 12 bytes could not be allocated: no memory left');
  expect([destroyed, scopes]).toEqual([1, []]);
  const thrown = () => allocated(own, 'cache', () => createStorage(own, 'huge', 2 ** 40));
  await failure(LimitExceededError, thrown);
  expect(scopes).toEqual([]);
});

test('uploadStorage refuses bytes that are not whole words', async () => {
  const error = await failure(ShapeError, () => uploadStorage(device, 'odd', new Uint16Array(3)));
  expect(error.message).toMatch(/odd: .*multiple of 4.* 6/);
});

/** Two devices, destroyed together. */
async function pair(): Promise<[GqaDevice, GqaDevice] & Disposable> {
  const devices: [GqaDevice, GqaDevice] = [await ownDevice(), await ownDevice()];
  return Object.assign(devices, {
    [Symbol.dispose]() {
      for (const one of devices) one.destroy();
    },
  });
}
