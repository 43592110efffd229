// deviceFacts.ts: facts of devices that need not be there: WebGPU's guaranteed limits, on a GPU and on a CPU.
import type { DeviceFacts } from '../../src/device/deviceFacts.ts';

/** A GPU with subgroups and nothing but the limits that every WebGPU device has. */
export const GPU_FACTS: DeviceFacts = {
  software: false,
  vendor: 'nvidia',
  subgroups: true,
  subgroupMinSize: 32,
  subgroupMaxSize: 32,
  subgroupSizeControl: false,
  maxInvocations: 256,
  maxWorkgroupStorage: 16384,
  maxBindingBytes: 128 * 2 ** 20,
  maxBufferBytes: 256 * 2 ** 20,
  maxGrid: 65535,
};

/** GPUs that get unlike sizes, from many registers to few. */
export const GPUS: readonly DeviceFacts[] = ['nvidia', 'amd', 'intel', 'qualcomm'].map((vendor) => ({
  ...GPU_FACTS,
  vendor,
}));

/** A software adapter with the same. */
export const SOFTWARE_FACTS: DeviceFacts = {
  ...GPU_FACTS,
  software: true,
  vendor: 'mesa',
  subgroupMinSize: 8,
  subgroupMaxSize: 8,
};

/** The subgroup sizes that WGSL allows. */
export const SUBGROUP_SIZES: readonly number[] = [4, 8, 16, 32, 64, 128];

/** The same device with subgroups of one size. */
export function withSubgroups(facts: DeviceFacts, size: number): DeviceFacts {
  return { ...facts, subgroups: true, subgroupMinSize: size, subgroupMaxSize: size };
}
