// profile.ts: what WebGPU does not tell of a device, guessed from its vendor, as long as nothing was measured on it.
import type { DeviceFacts } from '../device/deviceFacts.ts';

/** What sizes and plans are chosen by. */
export interface Profile {
  /**
   * Workgroups of 128 that are resident at once on the vendor's larger devices. Too many cost a little more merging on a
   * small one, too few leave a large one idle.
   */
  readonly slots: number;
  /**
   * Floats of q and o together that an invocation of the registers kernel may keep: half of its registers, so that loads in
   * flight and a second workgroup find room.
   */
  readonly keptFloats: number;
  /** All its subgroups are of one size, in every shader, though the adapter names a range: Metal says 4 to 64, and has 32. */
  readonly oneSubgroupSize?: true;
  /** Longest sequence that is not worth splitting: merging costs what its parts would save (`npm run bench:cliffs`). */
  readonly wholeLen: number;
  /**
   * Invocations that merge a row's splits, as far as each four of its elements get whole sets of them. A GPU's share the
   * splits, since its memory is far away; on a CPU, where a barrier costs more than that, each four elements have one.
   */
  readonly mergeInvocations: number;
}

const GPU = { wholeLen: 256, mergeInvocations: 256 } as const;

const PROFILES: readonly (readonly [vendor: RegExp, profile: Profile])[] = [
  [/nvidia|amd/i, { ...GPU, slots: 512, keptFloats: 128 }],
  [/apple/i, { ...GPU, slots: 256, keptFloats: 64, oneSubgroupSize: true }],
  [/intel/i, { ...GPU, slots: 128, keptFloats: 64 }],
  [/qualcomm|arm|imgtec|samsung/i, { ...GPU, slots: 64, keptFloats: 64 }],
];

/**
 * A CPU: as many workgroups as a small machine has cores, since merging costs it more than threads that finish apart, and a
 * stack for what does not fit into registers.
 */
const SOFTWARE: Profile = { slots: 4, keptFloats: 256, wholeLen: 1024, mergeInvocations: 1 };

/** Takes ten times as long for a key as lavapipe: the merge is paid back by fewer of them. */
const SWIFTSHADER: Profile = { ...SOFTWARE, wholeLen: 128 };

const UNKNOWN: Profile = { ...GPU, slots: 256, keptFloats: 64 };

/** The profile of a device; `gqa tune` measures what it guesses. */
export function profileOf({ software, vendor }: DeviceFacts): Profile {
  if (software) return /google/i.test(vendor) ? SWIFTSHADER : SOFTWARE;
  return PROFILES.find(([pattern]) => pattern.test(vendor))?.[1] ?? UNKNOWN;
}
