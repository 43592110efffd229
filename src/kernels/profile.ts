// profile.ts: what WebGPU does not tell of a device, guessed from its vendor, as long as nothing was measured on it.
import type { DeviceFacts } from '../device/deviceFacts.ts';

/** What an invocation of the registers kernel may keep, and how. */
export interface Registers {
  /** 32-bit numbers that it may keep at the widest point, as `liveNumbers` counts them. */
  readonly liveNumbers: number;
  /** Whether compilers load V together with K, or sink its loads to where they are used. */
  readonly both: boolean;
  readonly code: 'gpu' | 'cpu';
}

/** What sizes and plans are chosen by. */
export interface Profile {
  /**
   * Workgroups of 128 that are resident at once on the vendor's larger devices. Too many cost a little more merging on a
   * small one, too few leave a large one idle.
   */
  readonly slots: number;
  readonly registers: Registers;
  /** Compilers take subgroups of 16 and more for compute shaders, though the adapter names 8 too. */
  readonly largerSubgroups?: true;
  /** All its subgroups are of one size, in every shader, though the adapter names a range: Metal says 4 to 64, and has 32. */
  readonly oneSubgroupSize?: true;
  /** Longest sequence that is not worth splitting: merging costs what its parts would save (`npm run bench:cliffs`). */
  readonly wholeLen: number;
}

const GPU_WHOLE_LEN = 256;

const FEWER: Registers = { liveNumbers: 32, both: false, code: 'gpu' };
const FEW: Registers = { liveNumbers: 40, both: false, code: 'gpu' };

const PROFILES: readonly (readonly [vendor: RegExp, profile: Profile])[] = [
  [
    /nvidia/i,
    { slots: 512, registers: { liveNumbers: 76, both: true, code: 'gpu' }, wholeLen: GPU_WHOLE_LEN },
  ],
  [/amd/i, { slots: 512, registers: { liveNumbers: 116, both: true, code: 'gpu' }, wholeLen: GPU_WHOLE_LEN }],
  [/apple/i, { slots: 256, registers: FEW, oneSubgroupSize: true, wholeLen: GPU_WHOLE_LEN }],
  [/intel/i, { slots: 128, largerSubgroups: true, registers: FEW, wholeLen: GPU_WHOLE_LEN }],
  [/qualcomm|arm|imgtec|samsung/i, { slots: 64, registers: FEWER, wholeLen: GPU_WHOLE_LEN }],
];

/**
 * A CPU: as many workgroups as a small machine has cores, since merging costs it more than threads that finish apart, and a
 * stack for what does not fit into registers.
 */
const SOFTWARE: Profile = {
  slots: 4,
  registers: { liveNumbers: 256, both: true, code: 'cpu' },
  wholeLen: 1024,
};

/** Takes ten times as long for a key as lavapipe: the merge is paid back by fewer of them. */
const SWIFTSHADER: Profile = { ...SOFTWARE, wholeLen: 128 };

const UNKNOWN: Profile = { slots: 256, registers: FEW, wholeLen: GPU_WHOLE_LEN };

/** The profile of a device; `gqa tune` measures what it guesses. */
export function profileOf({ software, vendor }: DeviceFacts): Profile {
  if (software) return /google/i.test(vendor) ? SWIFTSHADER : SOFTWARE;
  return PROFILES.find(([pattern]) => pattern.test(vendor))?.[1] ?? UNKNOWN;
}
