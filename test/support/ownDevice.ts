// ownDevice.ts: a device of its own, for a test that destroys it or provokes errors on it.
import { openGpu } from '#gpu';
import { openDevice, type GqaDevice } from '../../src/index.ts';

/** Opens a device with WebGPU's guaranteed limits and, of the wanted features, those the adapter has. */
export async function ownDevice(wanted: readonly GPUFeatureName[] = []): Promise<GqaDevice> {
  return openDevice(await openGpu(), {
    descriptor: ({ features }) => ({ requiredFeatures: wanted.filter((name) => features.has(name)) }),
  });
}
