// statistics.ts: what the drivers say of a pipeline, each in its own words, as the same few numbers.
import { GqaError } from '../../src/index.ts';
import type { DriverName, Family } from './families.ts';

/** A line of pipelines.jsonl (layer/pipelines.c). */
export interface PipelineLine {
  readonly name: string;
  /** Of a workgroup. */
  readonly invocations: number;
  readonly subgroupSize: number;
  readonly statistics: Readonly<Record<string, number | boolean>>;
}

/** A pipeline's registers and where they end. */
export interface PipelineNumbers {
  readonly instructions: number;
  /**
   * AMD: vector registers of a lane, as allocated. Intel: most live registers of a thread, of 128. NVIDIA: registers of an
   * invocation, of 255. Adreno: registers of four floats, of an invocation.
   */
  readonly registers: number;
  /** Values (AMD) or stores (Intel, Adreno) of registers that did not fit; NVIDIA's driver does not count them. */
  readonly spills?: number;
  /** Loads of spilled registers; AMD's driver does not count them. */
  readonly fills?: number;
  /** Private memory of an invocation (AMD, NVIDIA) or a thread (Intel): for spills, and arrays that are indexed. */
  readonly privateBytes?: number;
  /** Subgroups that can be resident at once, of the family's most; undefined for Intel. */
  readonly resident?: number;
}

/** Reads a pipeline's statistics. Throws GqaError where the driver does not have one of them any more. */
export function pipelineNumbers(family: Family, line: PipelineLine): PipelineNumbers {
  const value = (name: string): number => {
    const found = line.statistics[name];
    if (typeof found === 'number') return found;
    const known = Object.keys(line.statistics).join(', ') || 'none';
    throw new GqaError('isa', `${family.name}: ${line.name}: expected the statistic "${name}", got ${known}`);
  };
  return READERS[family.driver](value, line, family);
}

type Reader = (value: (name: string) => number, line: PipelineLine, family: Family) => PipelineNumbers;

const READERS: Readonly<Record<DriverName, Reader>> = {
  radeon: (value, { subgroupSize }, { mostResident, countedLanes }) => ({
    instructions: value('Instructions'),
    registers: value('VGPRs'),
    spills: value('Spilled VGPRs') + value('Spilled SGPRs'),
    privateBytes: value('Scratch size'),
    resident: Math.min(mostResident!, (value('Subgroups per SIMD') * countedLanes!) / subgroupSize),
  }),
  intel: (value) => ({
    instructions: value('Instruction Count'),
    registers: value('Max live registers'),
    spills: value('Spill Count'),
    fills: value('Fill Count'),
    privateBytes: value('Scratch Memory Size'),
  }),
  nouveau: (value, _, { mostResident }) => ({
    instructions: value('Instruction count'),
    registers: value('Number of GPRs'),
    privateBytes: value('SLM Size'),
    resident: Math.min(mostResident!, warpsOf(value('Number of GPRs'))),
  }),
  freedreno: (value) => ({
    instructions: value('Instruction Count'),
    registers: value('Registers used'),
    spills: value('STP Count'),
    fills: value('LDP Count'),
    resident: value('Max Waves Per Core'),
  }),
};

/** Registers of a quarter of a multiprocessor, and of which they are given to a warp. */
const NVIDIA = { quarter: 16384, unit: 256, lanes: 32 };

/** Warps of a multiprocessor that find room with these registers each; in all four quarters alike. */
function warpsOf(registers: number): number {
  const ofWarp = Math.ceil((registers * NVIDIA.lanes) / NVIDIA.unit) * NVIDIA.unit;
  return 4 * Math.floor(NVIDIA.quarter / ofWarp);
}

/** Whether registers went to memory. */
export function spilled({ spills = 0, fills = 0, privateBytes = 0 }: Partial<PipelineNumbers>): boolean {
  return spills + fills + privateBytes > 0;
}
