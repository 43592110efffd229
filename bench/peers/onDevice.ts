// onDevice.ts: the device of an engine as results name it, whoever opened it.
import { borrowDevice, FeatureMissingError } from '../../src/index.ts';
import { describeAdapter } from '../run/context.ts';
import type { Engine } from './engine.ts';

/** Adapter and features of a device. */
export function onDevice(device: GPUDevice): NonNullable<Engine['on']> {
  return {
    adapter: describeAdapter(borrowDevice(device)),
    features: [...device.features].toSorted(),
  };
}

/** Throws FeatureMissingError where a shape needs f16 arithmetic that the engine's device does not have. */
export function requireF16(engine: string, type: string, features: ReadonlySet<string>): void {
  if (type === 'f16' && !features.has('shader-f16')) {
    throw new FeatureMissingError(
      'shader-f16',
      `${engine} computes f16 caches with shader-f16, which this adapter does not have`,
    );
  }
}
