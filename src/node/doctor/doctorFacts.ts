// doctorFacts.ts: what `gqa doctor` looks at, as plain data.
import { messageOf, NoAdapterError } from '../../device/errors.ts';
import { createRequire } from 'node:module';
import { release } from 'node:os';
import { version } from '../../../package.json';
import { type GqaDevice, openDevice } from '../../device/gqaDevice.ts';
import { computeRequest } from '../../device/request.ts';
import type { ListedAdapter, NodeGpu } from '../adapters.ts';
import { nodeAdapters, nodeGpu, type NodeGpuOptions } from '../nodeGpu.ts';
import { embeddedRunsHere, findArchive, versionOf } from '../embedded.ts';
import { driverManifests, driverOverride, pinLibrary, VULKAN_LOADER } from '../loader.ts';
import type { SubgroupReport } from '../../kernels/probe/subgroupProbe.ts';
import { ownGpu, ownName } from '../ownGpu.ts';
import { type Runtime, runtimeOf } from '../runtime.ts';
import { computesRight, kernelChoice, loopVariable, timestampStep } from './doctorProbes.ts';

/** The machine, before any adapter is opened. Absent packages have no version. */
export interface Machine {
  readonly gqa: string;
  readonly runtime: Runtime;
  readonly platform: string;
  /** The runtime's own WebGPU, which is then the one that is used: `wgpu` in Deno. */
  readonly own: string | undefined;
  /** The version of Dawn's package. */
  readonly webgpu: string | undefined;
  /** The Vulkan loader is there; undefined where Dawn does not use Vulkan, and where the runtime does not tell. */
  readonly loader: boolean | undefined;
  readonly manifests: readonly string[];
  /** Such as `VK_DRIVER_FILES=/usr/share/...`, when the environment chooses the drivers. */
  readonly override: string | undefined;
  /** The embedded software adapter, which only Dawn can use: its archive's version, `absent`, or undefined where it cannot run. */
  readonly embedded: string | undefined;
  /** As Dawn lists them; a runtime's own WebGPU lists none. */
  readonly adapters: readonly ListedAdapter[];
}

/** The adapter that was taken and what was found out about it. */
export interface Chosen {
  readonly name: string;
  readonly origin: NodeGpu['origin'];
  readonly software: boolean;
  readonly notes: readonly string[];
  readonly info: Readonly<Record<'vendor' | 'architecture' | 'device' | 'description', string>>;
  readonly features: readonly string[];
  /** Smallest and largest subgroup; undefined without the feature. */
  readonly subgroups: readonly [number, number] | undefined;
  /** What a probe saw of them, in the sizes of an ordinary step; undefined where it did not run. */
  readonly subgroupProbe: SubgroupReport | undefined;
  /** The kernel that `auto` takes for an ordinary step, with its sizes: `registers wg128 lanes16 tokens2 rows4x1`. */
  readonly kernel: string;
  readonly limits: Readonly<Record<string, number>>;
  /** Nanoseconds; undefined without the feature or when the clock stands still. */
  readonly timestampStep: number | undefined;
  /** 1 when a loop variable starts anew in each of five rounds, 5 when it keeps its value. */
  readonly loopVariable: number;
  readonly computesRight: boolean;
}

/** Everything `gqa doctor` reports. Exactly one of `chosen` and `error` is there. */
export interface DoctorFacts {
  readonly machine: Machine;
  readonly chosen: Chosen | undefined;
  readonly error: string | undefined;
  /** What to do about the error, where that is known. */
  readonly hint?: string;
}

/** Looks at the machine and tries the adapter. Never throws for want of an adapter: that is `error`. */
export async function gatherFacts(options: NodeGpuOptions): Promise<DoctorFacts> {
  // The machine first: opening the embedded adapter may load a Vulkan loader into this process.
  const machine = await gatherMachine();
  try {
    return { machine, chosen: await gatherChosen(await nodeGpu(options)), error: undefined };
  } catch (cause) {
    return { machine, chosen: undefined, ...errorFacts(cause) };
  }
}

function errorFacts(cause: unknown): Pick<DoctorFacts, 'error' | 'hint'> {
  if (!(cause instanceof NoAdapterError)) return { error: messageOf(cause) };
  return { error: cause.problem, ...(cause.hint !== undefined && { hint: cause.hint }) };
}

async function gatherMachine(): Promise<Machine> {
  const linux = process.platform === 'linux';
  const override = driverOverride();
  const runtime = runtimeOf();
  const own = ownGpu() && ownName(runtime);
  return {
    gqa: version,
    runtime,
    platform: `${process.platform}-${process.arch} ${release()}`,
    own,
    webgpu: webgpuVersion(),
    loader: linux && runtime.kind !== 'deno' ? pinLibrary(VULKAN_LOADER) : undefined,
    manifests: linux ? (override?.existing ?? driverManifests()) : [],
    override: override && `${override.variable}=${override.value}`,
    embedded: !own && embeddedRunsHere() ? (findArchive()?.version ?? 'absent') : undefined,
    // Dawn itself may be missing or broken; opening the adapter will then say so.
    adapters: own ? [] : await nodeAdapters().catch(() => []),
  };
}

function webgpuVersion(): string | undefined {
  try {
    return versionOf(createRequire(import.meta.url).resolve('webgpu/package.json'));
  } catch {
    return undefined;
  }
}

const LIMITS = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
  'minStorageBufferOffsetAlignment',
] as const;

async function gatherChosen(found: NodeGpu): Promise<Chosen> {
  let adapter: GPUAdapter | undefined;
  const device = await openDevice(found.gpu, {
    descriptor: (given) => {
      adapter = given;
      const request = computeRequest(given);
      if (given.features.has('timestamp-query')) request.requiredFeatures.push('timestamp-query');
      return request;
    },
  });
  try {
    return { ...adapterFacts(found, adapter!), ...(await probe(device)) }; // openDevice has called the descriptor
  } finally {
    device.destroy();
  }
}

type Probes = Pick<Chosen, 'timestampStep' | 'loopVariable' | 'computesRight' | 'subgroupProbe' | 'kernel'>;

function adapterFacts(found: NodeGpu, { info, features, limits }: GPUAdapter): Omit<Chosen, keyof Probes> {
  const { adapterName: name, origin, software, notes } = found;
  const { vendor, architecture, device, description, subgroupMinSize = 0, subgroupMaxSize = 0 } = info;
  return {
    name,
    origin,
    software,
    notes,
    info: { vendor, architecture, device, description },
    features: [...features].toSorted(),
    subgroups: features.has('subgroups') ? [subgroupMinSize, subgroupMaxSize] : undefined,
    limits: Object.fromEntries(LIMITS.map((limit) => [limit, limits[limit]])),
  };
}

async function probe(device: GqaDevice): Promise<Probes> {
  return {
    timestampStep: device.gpu.features.has('timestamp-query') ? await timestampStep(device) : undefined,
    loopVariable: await loopVariable(device),
    computesRight: await computesRight(device),
    ...(await kernelChoice(device)),
  };
}
