// context.ts: where and how a run was made, as every result states it.
import { isSoftware, type GqaDevice, type SubgroupReport } from '../../src/index.ts';
import type { BenchOptions } from './options.ts';
import type { BenchContext, PartialRun, Warning } from '../schema/schema.ts';
import type { PassTimer } from './timer.ts';

const LIMITS = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
] as const;

/** What a run found beside its rows. */
interface RunFindings {
  readonly subgroupProbes: readonly SubgroupReport[];
  readonly warnings: readonly Warning[];
  readonly partial?: PartialRun;
}

/** What every kind of run measures beside its rows; `Measured` may be more. */
type Measured = Pick<BenchContext, 'ceiling' | 'coldBytes' | 'lastLevelCacheBytes'>;

export function describeContext<M extends Measured>(
  device: GqaDevice,
  options: Pick<BenchOptions, 'context' | 'seed'>,
  timer: PassTimer,
  measured: M,
  { subgroupProbes, warnings, partial }: RunFindings,
): Omit<BenchContext, 'host'> & M {
  const { version, commit, runtime, label, nonStandard, crossOriginIsolated } = options.context;
  return {
    date: new Date().toISOString(),
    tool: { name: 'gqa-webgpu', version, ...(commit && { commit }) },
    runtime,
    adapter: { ...describeAdapter(device), subgroupProbes },
    ...(label && { label }),
    features: [...device.gpu.features].toSorted(),
    limits: Object.fromEntries(LIMITS.map((name) => [name, device.gpu.limits[name]])),
    timer: {
      source: timer.source,
      stepNs: timer.stepNs,
      wallLateNs: timer.wallLateNs,
      wallRatio: timer.wallRatio,
      demoted: timer.demoted,
    },
    ...measured,
    seed: options.seed,
    order: 'interleaved',
    ...(crossOriginIsolated !== undefined && { crossOriginIsolated }),
    nonStandard,
    warnings: [...contextWarnings(device, nonStandard), ...subgroupWarnings(subgroupProbes), ...warnings],
    ...(partial && { partial }),
  };
}

/** The adapter as results name it. Browsers mask most of it. */
export function describeAdapter(device: GqaDevice): BenchContext['adapter'] {
  const info = device.gpu.adapterInfo;
  return {
    vendor: info.vendor,
    architecture: info.architecture,
    device: info.device,
    description: info.description,
    software: isSoftware(info),
    subgroupMinSize: device.facts.subgroupMinSize,
    subgroupMaxSize: device.facts.subgroupMaxSize,
  };
}

export const SOFTWARE_WARNING =
  'software adapter: these times, and their ratios, describe this CPU, not a GPU';

/** One warning for the first of the probes that found its teams not as kernels need them. */
export function subgroupWarnings(probes: readonly SubgroupReport[]): Warning[] {
  const fault = probes.find((probe) => probe.fault !== undefined)?.fault;
  if (fault === undefined) return [];
  return [{ code: 'subgroups', text: `auto takes a slower kernel without subgroups: ${fault}` }];
}

function contextWarnings(device: GqaDevice, nonStandard: Readonly<Record<string, string>>): Warning[] {
  const warnings: Warning[] = [];
  if (device.facts.software) warnings.push({ code: 'software-adapter', text: SOFTWARE_WARNING });
  const changed = Object.keys(nonStandard);
  if (changed.length > 0) {
    const text = `not the standard run (${changed.join(', ')}): compare only with runs of the same parameters`;
    warnings.push({ code: 'non-standard', text });
  }
  return warnings;
}
