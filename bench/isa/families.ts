// families.ts: the GPUs that kernels are compiled for without having them, the driver of each, and what bounds its registers.

/** Mesa's drivers, by the names of their libraries. */
export type DriverName = 'radeon' | 'intel' | 'nouveau' | 'freedreno';

export interface Family {
  readonly name: string;
  /** What people know it as. */
  readonly gpu: string;
  readonly driver: DriverName;
  /** How the driver or its stub is told which chip is there; a variable of the environment. */
  readonly chip: readonly [variable: string, value: string];
  /**
   * Most subgroups at once: of a SIMD (AMD), a multiprocessor (NVIDIA), a core (Adreno). Absent for Intel, where every
   * thread has its 128 registers and more of them only spill.
   */
  readonly mostResident?: number;
  /** Lanes of what AMD's driver counts as a resident subgroup, whatever it compiled for. */
  readonly countedLanes?: 32 | 64;
}

const amd = (name: string, gpu: string, mostResident: number, countedLanes: 32 | 64): Family => {
  return { name, gpu, driver: 'radeon', chip: ['RADV_FORCE_FAMILY', name], mostResident, countedLanes };
};

const intel = (name: string, gpu: string): Family => {
  return { name, gpu, driver: 'intel', chip: ['INTEL_STUB_GPU_PLATFORM', name] };
};

const nvidia = (name: string, gpu: string, chipset: string, mostResident: number): Family => {
  return { name, gpu, driver: 'nouveau', chip: ['NOUVEAU_CHIPSET', chipset], mostResident };
};

const adreno = (model: string, gpu: string): Family => {
  return { name: `a${model}`, gpu, driver: 'freedreno', chip: ['FD_GPU_ID', model], mostResident: 16 };
};

/** All families, by vendor and from new to old. */
export const FAMILIES: readonly Family[] = [
  amd('navi31', 'AMD RDNA3, RX 7900', 16, 32),
  amd('navi21', 'AMD RDNA2, RX 6800', 16, 32),
  amd('vega10', 'AMD GCN5, Vega 64', 10, 64),
  intel('lnl', 'Intel Xe2, Core Ultra 200V'),
  intel('dg2', 'Intel Xe HPG, Arc A770'),
  intel('tgl', 'Intel Xe LP, Core 11th generation'),
  nvidia('ampere', 'NVIDIA Ampere, RTX 30', '172', 48),
  nvidia('turing', 'NVIDIA Turing, RTX 20', '164', 32),
  adreno('740', 'Qualcomm Adreno 740, Snapdragon 8 Gen 2'),
  adreno('660', 'Qualcomm Adreno 660, Snapdragon 888'),
];

/** The compilers, as tables name them. */
export const COMPILERS: Readonly<Record<DriverName, string>> = {
  radeon: 'ACO',
  intel: 'brw',
  nouveau: 'NAK',
  freedreno: 'ir3',
};
