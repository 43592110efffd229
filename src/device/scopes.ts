// scopes.ts: runs calls in WebGPU's error scopes and turns what they report into typed errors.
import { ForeignDeviceError, GpuError } from './errors.ts';
import type { GqaDevice } from './gqaDevice.ts';

/**
 * Runs `create` in a validation error scope and turns what it reports into a typed error: a buffer of another
 * device gives ForeignDeviceError, everything else GpuError. Without this such a buffer would read as zeros.
 */
export async function validated<T>(device: GqaDevice, what: string, create: () => T): Promise<T> {
  device.assertUsable();
  const { value, error } = await scoped(device, ['validation'], create);
  if (error) throw typedError(what, error);
  return value;
}

/**
 * Records into an encoder, submits, and waits until WebGPU has accepted or refused that, not until it is done. Throws
 * ForeignDeviceError or GpuError when it was refused, and DeviceLostError when there was no device to take it.
 */
export async function submitted(
  device: GqaDevice,
  what: string,
  record: (encoder: GPUCommandEncoder) => void,
): Promise<void> {
  device.assertAlive();
  const { error } = await scoped(device, ['internal', 'out-of-memory', 'validation'], () => {
    const encoder = device.gpu.createCommandEncoder({ label: what });
    record(encoder);
    device.gpu.queue.submit([encoder.finish()]);
  });
  if (error) throw typedError(what, error);
  // A lost device reports nothing.
  device.assertAlive();
}

function typedError(what: string, error: GPUError): Error {
  if (/associated with|another device|different device/i.test(error.message)) {
    return new ForeignDeviceError(`${what}: expected buffers of this device: ${error.message}`);
  }
  return new GpuError(`${what}: ${error.message}`, { cause: error });
}

/** Runs `create` in error scopes and gives the first error that they report. */
export async function scoped<T>(
  { gpu }: GqaDevice,
  filters: readonly GPUErrorFilter[],
  create: () => T,
): Promise<{ value: T; error: GPUError | null }> {
  for (const filter of filters) gpu.pushErrorScope(filter);
  let value: T;
  let reported: Promise<GPUError | null>[] = [];
  try {
    value = create();
  } finally {
    // Also when `create` throws: an open scope would swallow every later error.
    reported = filters.map(() => gpu.popErrorScope());
  }
  const errors = await Promise.all(reported);
  return { value, error: errors.find((error) => error !== null) ?? null };
}
