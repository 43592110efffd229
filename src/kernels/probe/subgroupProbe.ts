// subgroupProbe.ts: the probe of a device's subgroups (shaders/probe/subgroup_probe.wgsl), and what its result means.
import source from '../../../shaders/probe/subgroup_probe.wgsl?raw';
import { link } from '../../device/wgsl.ts';
import type { DeviceFacts } from '../../device/deviceFacts.ts';
import type { FusedVariant } from '../fused.ts';
import type { Grid, Kernel } from '../kernel.ts';
import { SUBGROUP } from '../lib.ts';
import { askedSubgroupSize } from '../registersSizes.ts';

/** What the invocations of a workgroup are dealt into: teams of `lanes`, each within a subgroup. */
export interface TeamSizes {
  readonly wgSize: number;
  readonly lanes: number;
  /** Size that the subgroups are asked to have; absent: what the device likes. */
  readonly askedSize?: number | undefined;
}

/** What a device does with workgroups of `wgSize` and teams of `lanes`. */
export interface SubgroupReport extends TeamSizes {
  /** Invocations of a subgroup as the shader saw it, the smallest of several; 0 where no shader ran. */
  readonly subgroupSize: number;
  /** Why kernels with such teams would compute wrong numbers, or could not run; absent where they are right. */
  readonly fault?: string;
}

/** The teams of a variant on a device; undefined for one that needs no subgroups. */
export function teamsOf(variant: FusedVariant, facts: DeviceFacts): TeamSizes | undefined {
  if (variant.template === 'tiles' || variant.template === 'prefill') return undefined;
  const { wgSize, lanes } = variant;
  return { wgSize, lanes, askedSize: askedSubgroupSize(lanes, facts) };
}

/** Workgroups of a probe. */
const GROUPS = 4;

export const PROBE_GRID: Grid = [GROUPS, 1, 1];

/** Bytes of the binding `seen`. */
export function probeBytes({ wgSize }: TeamSizes): number {
  return GROUPS * wgSize * 16;
}

/** The linked kernel. */
export function subgroupProbe({ wgSize, lanes, askedSize: subgroupSize }: TeamSizes): Kernel {
  const consts = { WG_SIZE: wgSize, LANES: lanes, QUAD: 4 };
  return {
    name: 'subgroup_probe',
    source: link({ kernel: source, enables: ['subgroups'], subgroupSize, libs: [SUBGROUP], consts }),
  };
}

/** What the contents of `seen` say: every team of a workgroup must have each of its lanes once, and hear the right ones. */
export function judgeProbe(sizes: TeamSizes, seen: Uint32Array): SubgroupReport {
  const { wgSize, lanes } = sizes;
  let subgroupSize = Infinity;
  let fault: string | undefined;
  for (let group = 0; group < seen.length / 4; group += wgSize) {
    const holders = new Uint32Array(wgSize); // [team][lane]
    for (let index = group; index < group + wgSize; index++) {
      const [team, lane, size, wrong] = seen.subarray(4 * index, 4 * index + 4) as unknown as number[];
      subgroupSize = Math.min(subgroupSize, size!);
      if (lane! < lanes && team! < wgSize / lanes) holders[team! * lanes + lane!]!++;
      if (wrong! > 0) fault ??= `an invocation of team ${team} heard ${wrong} wrong values of its team`;
    }
    const at = holders.findIndex((count) => count !== 1);
    if (at >= 0) {
      const place = `lane ${at % lanes} of team ${Math.floor(at / lanes)}`;
      fault = `subgroups of ${subgroupSize} are not full or not numbered in a row: ${place} is held by ${holders[at]} invocations, expected 1`;
    }
  }
  const where = `workgroups of ${wgSize}, teams of ${lanes}`;
  return { ...sizes, subgroupSize, ...(fault !== undefined && { fault: `${fault} (${where})` }) };
}
