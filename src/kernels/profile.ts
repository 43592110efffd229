// profile.ts: what WebGPU does not tell of a device, guessed from its vendor, as long as nothing was measured on it.
import type { DeviceFacts } from '../device/deviceFacts.ts';

/** What an invocation of the registers kernel may keep, and how. */
export interface Registers {
  /** 32-bit numbers that it may keep at the widest point, as `liveNumbers` counts them. */
  readonly liveNumbers: number;
  /** Whether compilers load V together with K, before either is used, or move its loads down to where they are used. */
  readonly loadsVWithK: boolean;
  /** Invocations of a workgroup at most. */
  readonly mostInvocations: number;
  /** Whose instructions are cheap: `RegistersVariant.code`. */
  readonly code: 'gpu' | 'cpu';
}

/** What sizes and plans are chosen by. */
export interface Profile {
  /**
   * Cores (compute units, multiprocessors) of the vendor's larger devices. Too many cost a little more merging on a small one,
   * too few leave a large one idle: `gqa tune` finds how many workgroups a device really wants.
   */
  readonly cores: number;
  /** Registers of 32 bits that the invocations of a core share. */
  readonly coreRegisters: number;
  /** Invocations that keep a core and its share of the memory busy. */
  readonly coreInvocations: number;
  readonly registers: Registers;
  /** Compilers take subgroups of 16 and more for compute shaders, though the adapter names 8 too. */
  readonly largerSubgroups?: true;
  /** All its subgroups are of one size, in every shader, though the adapter names a range: Metal says 4 to 64, and has 32. */
  readonly oneSubgroupSize?: true;
  /** Longest sequence that is not worth splitting: merging costs what its parts would save (`npm run bench:cliffs`). */
  readonly wholeLen: number;
  /** Fewest keys worth a split of their own while cores idle; whole grains of 32. */
  readonly minSplitLen: number;
  /**
   * Invocations that merge a row's splits, as far as each four of its elements get whole sets of them. A GPU's share the
   * splits, since its memory is far away; on a CPU, where a barrier costs more than that, each four elements have one.
   */
  readonly mergeInvocations: number;
}

const GPU = { wholeLen: 256, minSplitLen: 32, mergeInvocations: 256 } as const;

/** A core of NVIDIA's, and of AMD's before RDNA 3: 256 KiB of registers, four workgroups of 128 with 128 registers each. */
const LARGE_CORE = { cores: 128, coreRegisters: 65536, coreInvocations: 512 } as const;

/** A core of Intel's keeps all its threads, each with 64 registers for every invocation; most of its GPUs share a chip with a CPU. */
const INTEL_CORE = { cores: 8, coreRegisters: 131072, coreInvocations: 2048 } as const;

/** RDNA's 128 of 1,024 to a lane leave eight subgroups to a SIMD. */
const MANY: Registers = { liveNumbers: 124, loadsVWithK: true, mostInvocations: 256, code: 'gpu' };

/** Intel's 64 registers of an invocation, and what is not known to have more. */
const FEW: Registers = { liveNumbers: 40, loadsVWithK: false, mostInvocations: 256, code: 'gpu' };

/** Adreno's, of which each further vector of four costs waves, and workgroups of 256 many. */
const FEWEST: Registers = { liveNumbers: 32, loadsVWithK: false, mostInvocations: 128, code: 'gpu' };

const PROFILES: readonly (readonly [vendor: RegExp, profile: Profile])[] = [
  [/nvidia/i, { ...GPU, ...LARGE_CORE, registers: { ...MANY, liveNumbers: 76 } }],
  [/amd/i, { ...GPU, ...LARGE_CORE, registers: MANY }],
  [
    /apple/i,
    {
      ...GPU,
      cores: 64,
      coreRegisters: 53248,
      coreInvocations: 512,
      registers: FEW,
      oneSubgroupSize: true,
    },
  ],
  [/intel/i, { ...GPU, ...INTEL_CORE, registers: FEW, largerSubgroups: true }],
  [
    /qualcomm|arm|imgtec|samsung/i,
    { ...GPU, cores: 16, coreRegisters: 49152, coreInvocations: 512, registers: FEWEST },
  ],
];

/**
 * A CPU: a workgroup to a core and as many as a small machine has, since merging costs it more than threads that finish
 * apart, and a stack for what does not fit into registers.
 */
const SOFTWARE: Profile = {
  cores: 4,
  coreRegisters: 256,
  coreInvocations: 1,
  registers: { ...MANY, liveNumbers: 256, code: 'cpu' },
  wholeLen: 1024,
  minSplitLen: 128,
  mergeInvocations: 1,
};

/** Takes ten times as long for a key as lavapipe: the merge is paid back by fewer of them. Its compiler likes no branches either. */
const SWIFTSHADER: Profile = {
  ...SOFTWARE,
  wholeLen: 128,
  registers: { ...SOFTWARE.registers, code: 'gpu' },
};

const UNKNOWN: Profile = { ...GPU, cores: 64, coreRegisters: 49152, coreInvocations: 512, registers: FEW };

/** The profile of a device; `gqa tune` measures what it guesses. */
export function profileOf({ software, vendor }: DeviceFacts): Profile {
  if (software) return /google/i.test(vendor) ? SWIFTSHADER : SOFTWARE;
  return PROFILES.find(([pattern]) => pattern.test(vendor))?.[1] ?? UNKNOWN;
}
