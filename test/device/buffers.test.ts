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
import { failure, message } from '../support/failure.ts';
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

  test.each([-4, 0, 6, 4.5, NaN, Infinity, 2 ** 60, '64', undefined, null, 8n])(
    'refuses %s bytes',
    async (bytes) => {
      const error = await failure(ShapeError, () => createStorage(device, 'odd', bytes as number));
      const given =
        typeof bytes === 'string' ? `"${bytes}"` : `${bytes}${typeof bytes === 'bigint' ? 'n' : ''}`;
      expect(error.message).toBe(`odd: expected a positive multiple of 4 bytes, got ${given}`);
    },
  );

  test('refuses a label that is none', async () => {
    await failure(ShapeError, () => createStorage(device, 64 as never, 64));
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
    device.gpu.queue.writeBuffer(buffer, 0, Uint32Array.of(2));
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
    await failure(ForeignDeviceError, () => readBack(borrowDevice(a.gpu), foreign));
  });

  test('a buffer that cannot be copied from', async () => {
    using own = await ownDevice();
    const buffer = own.gpu.createBuffer({ label: 'locked', size: 16, usage: 0x80 });
    const error = await failure(ShapeError, () => readBack(own, buffer));
    expect(error.message).toBe('read-back of locked: expected a buffer with usage COPY_SRC, got usage 128');
    await own.idle();
  });

  test.each([
    [{ offset: 2, size: 8 }],
    [{ offset: 0, size: 6 }],
    [{ offset: 0, size: 20 }],
    [{ offset: 32 }],
    [{ offset: -4 }],
    [{ offset: '4' as never }],
    [{ size: '8' as never }],
    [{ size: NaN }],
    [{ size: null as never }],
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
  const { gpu } = own;
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

describe('uploadStorage refuses', () => {
  test.each([
    [new Uint16Array(3), 'odd: expected a positive multiple of 4 bytes, got 6'],
    [new Float32Array(0), 'odd: expected a positive multiple of 4 bytes, got 0'],
  ])('bytes that are not whole words: %o', async (data, expected) => {
    expect(await message(ShapeError, () => uploadStorage(device, 'odd', data))).toBe(expected);
  });

  // Half as many would be as many bytes as are expected where f32 are.
  test.each([
    ['a Float64Array', new Float64Array(4)],
    ['a BigInt64Array', new BigInt64Array(4)],
    ['a BigUint64Array', new BigUint64Array(4)],
    ['an array of 4', [1, 2, 3, 4]],
    ['an ArrayBuffer', new ArrayBuffer(16)],
    ['undefined', undefined],
    ['null', null],
    ['"1234"', '1234'],
  ])('%s', async (given, data) => {
    expect(await message(ShapeError, () => uploadStorage(device, 'x', data as never))).toBe(
      `x: expected a typed array of numbers of at most 32 bits or a DataView, got ${given}`,
    );
  });
});

test('data in memory that is shared or can be resized is uploaded like any other', async () => {
  const shared = new Float32Array(new SharedArrayBuffer(16), 4, 2);
  shared.set([1.5, 2.5]);
  expect(new Float32Array(await readBack(device, uploadStorage(device, 'x', shared)))).toEqual(
    Float32Array.of(1.5, 2.5),
  );
  const Resizable = ArrayBuffer as new (bytes: number, options: object) => ArrayBuffer;
  const view = new Uint32Array(new Resizable(16, { maxByteLength: 64 }), 8);
  view.set([7, 8]);
  expect(new Uint32Array(await readBack(device, uploadStorage(device, 'x', view)))).toEqual(
    Uint32Array.of(7, 8),
  );
});

describe('what is no device and no buffer is named', () => {
  test.each([
    [
      'a GPUDevice',
      () => createStorage(device.gpu as never, 'x', 16),
      'createStorage: expected a GqaDevice, got a GPUDevice',
    ],
    [
      'nothing',
      () => createStorage(undefined as never, 'x', 16),
      'createStorage: expected a GqaDevice, got undefined',
    ],
    [
      'a buffer for the device',
      () => readBack(createStorage(device, 'x', 4) as never, device as never),
      'readBack: expected a GqaDevice, got a GPUBuffer',
    ],
    [
      'no buffer',
      () => readBack(device, undefined as never),
      'readBack: buffer: expected a GPUBuffer or a part of one, got undefined',
    ],
    ['null', () => readBack(device, null as never), 'got null'],
    ['an object', () => readBack(device, {} as never), 'got an object'],
    ['a part of nothing', () => readBack(device, { buffer: undefined } as never), 'got undefined'],
    ['an array', () => readBack(device, new Float32Array(4) as never), 'got a Float32Array'],
    [
      'an unknown field',
      () => readBack(device, { buffer: createStorage(device, 'x', 8), ofset: 4 } as never),
      'readBack: buffer: there is no option ofset; did you mean offset?',
    ],
  ])('%s', async (_name, act, expected) => {
    expect(await message(ShapeError, act)).toContain(expected);
  });
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
