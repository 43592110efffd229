// buffers.ts: storage buffers in, out and checked.
import { ForeignDeviceError, GpuError, ShapeError } from './errors.ts';
import { checkBufferBytes, type GqaDevice } from './gqaDevice.ts';
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

const STORAGE_BOTH_WAYS = BUFFER_USAGE.STORAGE | BUFFER_USAGE.COPY_SRC | BUFFER_USAGE.COPY_DST;

/**
 * A zeroed storage buffer that can be copied from and to.
 * @param label its name in WebGPU's messages
 * @param bytes its size; less than 4 becomes 4
 */
export function createStorage(device: GqaDevice, label: string, bytes: number): GPUBuffer {
  device.assertUsable();
  checkBufferBytes(device.facts, label, bytes);
  return device.device.createBuffer({ label, size: Math.max(4, bytes), usage: STORAGE_BOTH_WAYS });
}

/**
 * A storage buffer that holds a copy of `data`.
 * @param label its name in WebGPU's messages
 * @param data a multiple of 4 bytes, as WebGPU demands
 */
export function uploadStorage(device: GqaDevice, label: string, data: ArrayBufferView): GPUBuffer {
  if (data.byteLength % 4 !== 0) {
    throw new ShapeError(`${label}: expected a multiple of 4 bytes, got ${data.byteLength}`);
  }
  const buffer = createStorage(device, label, data.byteLength);
  device.device.queue.writeBuffer(buffer, 0, data.buffer, data.byteOffset, data.byteLength);
  return buffer;
}

/**
 * Copies a part of a buffer back to the host. Waits for the work submitted before it. Offset and size in bytes,
 * multiples of 4. Throws ShapeError for a part that does not fit, ForeignDeviceError for a buffer of another device.
 */
export async function readBack(device: GqaDevice, arg: BufferArg): Promise<ArrayBuffer> {
  device.assertUsable();
  const { buffer, offset, size } = rangeOf(arg);
  const what = `read-back of ${buffer.label || 'a buffer'}`;
  checkPart(what, { buffer, offset, size }, 4);
  if (size % 4 !== 0) throw new ShapeError(`${what}: expected a multiple of 4 bytes, got ${size}`);
  const staging = device.device.createBuffer({
    label: what,
    size,
    usage: BUFFER_USAGE.MAP_READ | BUFFER_USAGE.COPY_DST,
  });
  try {
    const copied = validated(device, what, () => {
      const encoder = device.device.createCommandEncoder({ label: what });
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
      device.device.queue.submit([encoder.finish()]);
    });
    await Promise.all([copied, mapped(device, what, staging)]);
    return staging.getMappedRange().slice(0);
  } finally {
    staging.destroy();
  }
}

const SOON_MS = 50;

async function mapped(device: GqaDevice, what: string, staging: GPUBuffer): Promise<void> {
  try {
    await staging.mapAsync(MAP_MODE.READ);
  } catch (cause) {
    // Mapping fails a moment before the host says that the device was lost, which is the better error.
    await Promise.race([device.lost, new Promise((resolve) => setTimeout(resolve, SOON_MS))]);
    device.assertUsable();
    throw new GpuError(`${what} failed`, { cause });
  }
}

/** The range a BufferArg stands for. */
export function rangeOf(arg: BufferArg): BufferRange {
  if (!('buffer' in arg)) return { buffer: arg, offset: 0, size: arg.size };
  const offset = arg.offset ?? 0;
  return { buffer: arg.buffer, offset, size: arg.size ?? arg.buffer.size - offset };
}

/**
 * Checks that a caller's buffer can be bound as `what` and holds exactly `bytes` (a whole buffer or a range given by
 * offset: `size` may then be left out). Throws ShapeError with both numbers.
 */
export function checkRange(device: GqaDevice, what: string, arg: BufferArg, bytes: number): BufferRange {
  const given = rangeOf('buffer' in arg ? { size: bytes, ...arg } : arg);
  if (given.size !== bytes) throw new ShapeError(`${what}: expected ${bytes} bytes, got ${given.size}`);
  checkPart(what, given, device.device.limits.minStorageBufferOffsetAlignment);
  if ((given.buffer.usage & BUFFER_USAGE.STORAGE) === 0) {
    throw new ShapeError(`${what}: expected a buffer with usage STORAGE, got usage ${given.buffer.usage}`);
  }
  return given;
}

/** A part must begin on a multiple of `alignment` and lie within its buffer. */
function checkPart(what: string, { buffer, offset, size }: BufferRange, alignment: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % alignment !== 0) {
    throw new ShapeError(`${what}: expected an offset that is a multiple of ${alignment}, got ${offset}`);
  }
  if (!(size >= 0) || offset + size > buffer.size) {
    throw new ShapeError(`${what}: expected ${offset + size} bytes in the buffer, it has ${buffer.size}`);
  }
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

/**
 * Runs `create`, which makes buffers, in an out-of-memory error scope. Throws GpuError when the memory cannot be had; what
 * was made is destroyed then.
 */
export async function allocated<T extends { destroy(): void }>(
  device: GqaDevice,
  what: string,
  create: () => T,
): Promise<T> {
  const { made, error } = await scoped(device, 'out-of-memory', create);
  if (!error) return made;
  made.destroy();
  throw new GpuError(`${what} could not be allocated: ${error.message}`, { cause: error });
}

/**
 * Runs `create` in a validation error scope and turns what it reports into a typed error: a buffer of another
 * device gives ForeignDeviceError, everything else GpuError. Without this such a buffer would read as zeros.
 */
export async function validated<T>(device: GqaDevice, what: string, create: () => T): Promise<T> {
  device.assertUsable();
  const { made, error } = await scoped(device, 'validation', create);
  if (!error) return made;
  if (/associated with|another device|different device/i.test(error.message)) {
    throw new ForeignDeviceError(`${what}: expected buffers of this device: ${error.message}`);
  }
  throw new GpuError(`${what}: ${error.message}`, { cause: error });
}

async function scoped<T>(
  { device }: GqaDevice,
  filter: GPUErrorFilter,
  create: () => T,
): Promise<{ made: T; error: GPUError | null }> {
  device.pushErrorScope(filter);
  let made: T;
  let reported: Promise<GPUError | null>;
  try {
    made = create();
  } finally {
    // Also when `create` throws: an open scope would swallow every later error.
    reported = device.popErrorScope();
  }
  return { made, error: await reported };
}
