// device.ts: the device that GPU tests run on, opened once.
import { openGpu } from '#gpu';
import { type GqaDevice, openDevice } from '../../src/device/gqaDevice.ts';

const WANTED_FEATURES: readonly GPUFeatureName[] = ['subgroups', 'timestamp-query'];
const WANTED_LIMITS = ['maxBufferSize', 'maxStorageBufferBindingSize'] as const;

// Dawn crashes the process when a device becomes unreachable while one of its promises is pending, and `lost` always
// is. The set hangs on globalThis because the test runner may load this module anew in the same process.
const holder = globalThis as { [key: symbol]: Set<GqaDevice> | undefined };
const held = (holder[Symbol.for('gqa-webgpu.test-devices')] ??= new Set<GqaDevice>());

let opened: Promise<GqaDevice> | undefined;

/**
 * The shared device: of subgroups and timestamp-query what the adapter has, its own limits for buffers and bindings,
 * WebGPU's guaranteed ones for all else. Throws when the machine has no adapter: a test without one has not passed.
 */
export function testDevice(): Promise<GqaDevice> {
  opened ??= open();
  return opened;
}

async function open(): Promise<GqaDevice> {
  const device = await openDevice(await openGpu(), { descriptor });
  held.add(device);
  return device;
}

function descriptor({ features, limits }: GPUAdapter): GPUDeviceDescriptor {
  return {
    label: 'test device',
    requiredFeatures: WANTED_FEATURES.filter((feature) => features.has(feature)),
    requiredLimits: Object.fromEntries(WANTED_LIMITS.map((name) => [name, limits[name]])),
  };
}
