// deviceFacts.ts: facts of devices that need not be there: WebGPU's guaranteed limits, on a GPU and on a CPU.
import { NVIDIA_LIKE } from '../../bench/studies/counts.ts';
import type { DeviceFacts } from '../../src/device/deviceFacts.ts';

/** A GPU with subgroups and nothing but the limits that every WebGPU device has. */
export const GPU_FACTS: DeviceFacts = NVIDIA_LIKE;

/** GPUs that get unlike sizes: with many registers and with few. */
export const GPUS: readonly DeviceFacts[] = [GPU_FACTS, { ...GPU_FACTS, vendor: 'apple' }];

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
