// buffers.ts: storage buffers in, out and checked.
import { GpuError, ShapeError } from './errors.ts';
import { checkBufferBytes } from './deviceFacts.ts';
import { checkDevice, type GqaDevice } from './gqaDevice.ts';
import { checkOptions, checkText, checkWhole, describe, isObject, type Known } from './options.ts';
import { scoped, submitted } from './scopes.ts';
import { BUFFER_USAGE, MAP_MODE } from './usage.ts';

/** A caller's buffer, whole, or a part of one: `offset` and `size` in bytes. */
export type BufferArg =
  | GPUBuffer
  | { readonly buffer: GPUBuffer; readonly offset?: number; readonly size?: number };

/** A part of a buffer, ready to bind. */
export interface BufferRange {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** Numbers that a shader can read, of 32 bits or fewer, or bytes in a DataView. WGSL has no wider ones. */
export type StorageData =
  | Float32Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | DataView;

const STORAGE_BOTH_WAYS = BUFFER_USAGE.STORAGE | BUFFER_USAGE.COPY_SRC | BUFFER_USAGE.COPY_DST;

/**
 * A zeroed storage buffer that can be copied from and to. Throws ShapeError unless `bytes` is a positive multiple of 4,
 * LimitExceededError when the device has no buffers or bindings of that size.
 * @param label its name in WebGPU's messages
 * @param bytes its size
 */
export function createStorage(device: GqaDevice, label: string, bytes: number): GPUBuffer {
  checkDevice('createStorage', device);
  checkText('createStorage: label', label);
  device.assertUsable();
  if (!Number.isSafeInteger(bytes) || bytes <= 0 || bytes % 4 !== 0) {
    throw new ShapeError(`${label}: expected a positive multiple of 4 bytes, got ${describe(bytes)}`);
  }
  checkBufferBytes(device.facts, label, bytes);
  return device.gpu.createBuffer({ label, size: bytes, usage: STORAGE_BOTH_WAYS });
}

/**
 * A storage buffer that holds a copy of the bytes of `data`. Nothing is converted, so an array of 64-bit numbers, which no
 * shader would read as such, is a ShapeError.
 * @param label its name in WebGPU's messages
 * @param data a positive multiple of 4 bytes, as WebGPU demands
 */
export function uploadStorage(device: GqaDevice, label: string, data: StorageData): GPUBuffer {
  checkDevice('uploadStorage', device);
  checkText('uploadStorage: label', label);
  checkData(label, data);
  const buffer = createStorage(device, label, data.byteLength);
  writeData(device, { buffer, offset: 0 }, data);
  return buffer;
}

/** A uniform buffer that holds a copy of the words. */
export function createUniform(device: GqaDevice, label: string, words: Uint32Array<ArrayBuffer>): GPUBuffer {
  const usage = BUFFER_USAGE.UNIFORM | BUFFER_USAGE.COPY_DST;
  const buffer = device.gpu.createBuffer({ label, size: words.byteLength, usage });
  device.gpu.queue.writeBuffer(buffer, 0, words);
  return buffer;
}

/** Writes all bytes of `data` into a buffer. */
export function writeData(
  device: GqaDevice,
  { buffer, offset }: Pick<BufferRange, 'buffer' | 'offset'>,
  data: ArrayBufferView,
): void {
  const { queue } = device.gpu;
  const { byteOffset, byteLength } = data;
  if (isFixed(data.buffer)) queue.writeBuffer(buffer, offset, data.buffer, byteOffset, byteLength);
  else queue.writeBuffer(buffer, offset, new Uint8Array(data.buffer, byteOffset, byteLength).slice());
}

/** Memory that no thread shares and nobody resizes; Dawn's Node binding crashes on the other kinds. */
function isFixed(memory: ArrayBufferLike): memory is ArrayBuffer {
  return memory instanceof ArrayBuffer && !(memory as { readonly resizable?: boolean }).resizable;
}

/** Throws ShapeError for what is no StorageData. */
export function checkData(what: string, data: StorageData): void {
  const kind = ArrayBuffer.isView(data) ? data[Symbol.toStringTag] : '';
  if (kind !== '' && !/64/.test(kind)) return;
  throw new ShapeError(
    `${what}: expected a typed array of numbers of at most 32 bits or a DataView, got ${describe(data)}`,
  );
}

/**
 * Copies a part of a buffer back to the host. Waits for the work submitted before it. Offset and size in bytes,
 * multiples of 4. Throws ShapeError for a part that does not fit or a buffer without usage COPY_SRC, ForeignDeviceError for a
 * buffer of another device.
 */
export async function readBack(device: GqaDevice, arg: BufferArg): Promise<ArrayBuffer> {
  checkDevice('readBack', device);
  device.assertUsable();
  const { buffer, offset, size } = rangeOf('readBack: buffer', arg);
  const what = `read-back of ${buffer.label || 'a buffer'}`;
  checkPart(what, { buffer, offset, size }, 4);
  if (size % 4 !== 0) throw new ShapeError(`${what}: expected a multiple of 4 bytes, got ${size}`);
  checkUsage(what, buffer, 'COPY_SRC');
  return copyOut(device, what, { buffer, offset, size });
}

/** Copies a range to the host; submits before it first waits. Leaves to others what the device has reported. */
export function copyOut(device: GqaDevice, what: string, range: BufferRange): Promise<ArrayBuffer> {
  return copyAllOut(device, what, [range]);
}

/** The same for several ranges, one behind the other: at least a byte in all. */
export async function copyAllOut(
  device: GqaDevice,
  what: string,
  ranges: readonly BufferRange[],
): Promise<ArrayBuffer> {
  device.assertAlive();
  const size = ranges.reduce((sum, range) => sum + range.size, 0);
  const staging = device.gpu.createBuffer({
    label: what,
    size,
    usage: BUFFER_USAGE.MAP_READ | BUFFER_USAGE.COPY_DST,
  });
  try {
    const copied = submitted(device, what, (encoder) => {
      let at = 0;
      for (const range of ranges) {
        encoder.copyBufferToBuffer(range.buffer, range.offset, staging, at, range.size);
        at += range.size;
      }
    });
    await Promise.all([copied, mapped(device, what, staging)]);
    return staging.getMappedRange().slice(0);
  } finally {
    staging.destroy();
  }
}

async function mapped(device: GqaDevice, what: string, staging: GPUBuffer): Promise<void> {
  try {
    await staging.mapAsync(MAP_MODE.READ);
  } catch (cause) {
    // Mapping fails a moment before the host says that the device was lost, which is the better error.
    await device.lostSoon();
    device.assertUsable();
    throw new GpuError(`${what} failed`, { cause });
  }
}

const RANGE_FIELDS = { buffer: true, offset: true, size: true } satisfies Known<BufferRange>;

/** The range a BufferArg stands for; without a size, up to the buffer's end. Throws ShapeError for anything else. */
export function rangeOf(what: string, arg: BufferArg, bytes?: number): BufferRange {
  if (isBuffer(arg)) return { buffer: arg, offset: 0, size: arg.size };
  if (!isObject(arg) || !isBuffer(arg.buffer)) {
    const part = isObject(arg) && 'buffer' in arg && !ArrayBuffer.isView(arg);
    throw new ShapeError(
      `${what}: expected a GPUBuffer or a part of one, got ${describe(part ? arg.buffer : arg)}`,
    );
  }
  checkOptions(what, arg, RANGE_FIELDS);
  const { buffer, offset = 0 } = arg;
  checkNumber(`${what}: offset`, offset);
  const { size = bytes ?? buffer.size - offset } = arg;
  checkNumber(`${what}: size`, size);
  return { buffer, offset, size };
}

function checkNumber(what: string, value: number): void {
  if (typeof value !== 'number')
    throw new ShapeError(`${what}: expected a number of bytes, got ${describe(value)}`);
}

function isBuffer(value: unknown): value is GPUBuffer {
  return isObject(value) && 'destroy' in value && 'usage' in value && 'size' in value;
}

/**
 * Checks that a caller's buffer can be bound as `what` and holds exactly `bytes` (a whole buffer or a range given by
 * offset: `size` may then be left out). Without `bytes` any positive multiple of 4 will do that the device can bind. Throws
 * ShapeError with both numbers, LimitExceededError for a range that is too large to be bound.
 */
export function checkRange(
  device: GqaDevice,
  what: string,
  arg: BufferArg,
  bytes: number | undefined,
): BufferRange {
  const given = rangeOf(what, arg, bytes);
  if (bytes === undefined) {
    if (!(given.size > 0) || given.size % 4 !== 0) {
      throw new ShapeError(`${what}: expected a positive multiple of 4 bytes, got ${describe(given.size)}`);
    }
    checkBufferBytes(device.facts, what, given.size);
  } else if (given.size !== bytes) {
    throw new ShapeError(`${what}: expected ${bytes} bytes, got ${describe(given.size)}`);
  }
  checkPart(what, given, device.gpu.limits.minStorageBufferOffsetAlignment);
  checkUsage(what, given.buffer, 'STORAGE');
  return given;
}

function checkUsage(what: string, { usage }: GPUBuffer, wanted: 'STORAGE' | 'COPY_SRC'): void {
  if ((usage & BUFFER_USAGE[wanted]) === 0) {
    throw new ShapeError(`${what}: expected a buffer with usage ${wanted}, got usage ${usage}`);
  }
}

/** A part must begin on a multiple of `alignment` and lie within its buffer. */
function checkPart(what: string, { buffer, offset, size }: BufferRange, alignment: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % alignment !== 0) {
    throw new ShapeError(
      `${what}: expected an offset that is a multiple of ${alignment}, got ${describe(offset)}`,
    );
  }
  if (size < 0 || size > buffer.size - offset) {
    throw new ShapeError(`${what}: expected ${offset + size} bytes in the buffer, it has ${buffer.size}`);
  }
  checkWhole(`${what}: size`, size, 0, buffer.size);
}

/**
 * Throws ShapeError when a buffer that is written is also another of a dispatch's buffers: WebGPU forbids it even for
 * parts that do not touch, and says so only when the work is submitted.
 */
export function checkWritten(
  where: string,
  written: readonly string[],
  ranges: Readonly<Record<string, BufferRange>>,
): void {
  for (const name of written) {
    const twin = Object.keys(ranges).find(
      (other) => other !== name && ranges[other]!.buffer === ranges[name]!.buffer,
    );
    if (twin) throw new ShapeError(`${where}: ${name}: expected a buffer of its own, got the one of ${twin}`);
  }
}

/** Makes a storage buffer: `createStorage` on a device, its buffers remembered. */
export type CreateBuffer = (label: string, bytes: number) => GPUBuffer;

/**
 * Runs `build`, which makes buffers by the function it gets, in an out-of-memory error scope. Throws GpuError when the memory
 * cannot be had; all that was made is destroyed then, and when `build` throws.
 */
export async function allocated<T extends { destroy(): void }>(
  device: GqaDevice,
  what: string,
  build: (create: CreateBuffer) => T,
): Promise<T> {
  const made: { destroy(): void }[] = [];
  const create: CreateBuffer = (label, bytes) => {
    const buffer = createStorage(device, label, bytes);
    made.push(buffer);
    return buffer;
  };
  try {
    const { value, error } = await scoped(device, ['out-of-memory'], () => {
      const built = build(create);
      made.push(built);
      return built;
    });
    if (!error) return value;
    throw new GpuError(`${what} could not be allocated: ${error.message}`, { cause: error });
  } catch (error) {
    for (const resource of made.toReversed()) resource.destroy();
    throw error;
  }
}
