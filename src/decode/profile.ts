// profile.ts: how many workgroups keep a device busy, as long as nothing was measured on it.
import type { DeviceFacts } from '../device/gqaDevice.ts';

// WebGPU tells neither cores nor occupancy. Workgroups of 128 that are resident at once on the larger devices of each
// vendor: too many cost a little more merging on a small one, too few leave a large one idle. `gqa tune` measures.
const SLOTS: readonly (readonly [vendor: RegExp, slots: number])[] = [
  [/nvidia|amd/i, 512],
  [/apple/i, 256],
  [/intel/i, 128],
  [/qualcomm|arm|imgtec|samsung/i, 64],
];

/** As many as a small machine has cores or a few more: merging costs a CPU more than threads that finish apart. */
const SOFTWARE_SLOTS = 8;

const UNKNOWN_SLOTS = 256;

/** Workgroups that keep a device of this kind busy. */
export function slotsOf({ software, vendor }: DeviceFacts): number {
  if (software) return SOFTWARE_SLOTS;
  return SLOTS.find(([pattern]) => pattern.test(vendor))?.[1] ?? UNKNOWN_SLOTS;
}
