// adapters.ts: which adapter Dawn is to use in Node: the one asked for, a GPU, a system or the embedded software adapter.
import { messageOf, NoAdapterError } from '../device/errors.ts';
import { isSoftware } from '../device/adapterInfo.ts';
import {
  EMBEDDED_INSTALL,
  type EmbeddedDriver,
  embeddedRunsHere,
  findArchive,
  unpackDriver,
} from './embedded.ts';
import { driverManifests, driverOverride, pinLibrary, VULKAN_LOADER, withDriver } from './loader.ts';
import { nativeSetter } from './nativeEnvironment.ts';
import type { Runtime } from './runtime.ts';

/** What gives such a runtime a WebGPU where it has none: Dawn, or a switch. Recent versions of Deno need neither. */
export function dawnInstall(kind: Runtime['kind']): string {
  const install = 'npm install webgpu@0.6';
  return kind === 'deno' ? `deno run --unstable-webgpu, or ${install}` : install;
}

/** What Dawn is called in reports. */
export const DAWN_NAME = 'dawn';

/** `create` of the package `webgpu`: flags such as `adapter=name` to Dawn's GPU object. */
export type CreateGpu = (flags: string[]) => GPU;

/** Where an adapter came from; `environment` means that VK_DRIVER_FILES or VK_ICD_FILENAMES chose the driver. */
export type AdapterOrigin = 'environment' | 'gpu' | 'system-software' | 'embedded-software';

/** A GPU object whose `requestAdapter()` gives the adapter named here, and how it was found. */
export interface NodeGpu {
  readonly gpu: GPU;
  /** The implementation of WebGPU: `dawn`, or `wgpu` where it is Deno's own. */
  readonly webgpu: string;
  readonly origin: AdapterOrigin;
  /** As Dawn lists it, or as Deno describes it; any part of it works as the `adapter` option. */
  readonly adapterName: string;
  /** A processor poses as a GPU: right results, timings that say nothing about GPUs. */
  readonly software: boolean;
  /** What a person should know about the choice; one sentence each, for stderr. */
  readonly notes: readonly string[];
}

/** What to look for. `flags` go to every `create`. */
export interface AdapterRequest {
  readonly asked: string | undefined;
  readonly requireGpu: boolean;
  readonly flags: readonly string[];
}

/** An adapter as Dawn lists it. */
export interface ListedAdapter {
  readonly backend: string;
  readonly name: string;
}

/** A request that begins with this word asks for the embedded software adapter, even where the system has another. */
export const EMBEDDED = 'swiftshader';

// Dawn crashes the process when a GPU object becomes unreachable while one of its promises is pending. The map hangs on
// globalThis because a test runner may load this module anew in the same process and drop the old copy.
const holder = globalThis as { [key: symbol]: Map<CreateGpu, Map<string, GPU>> | undefined };
const kept = (holder[Symbol.for('gqa-webgpu.gpus')] ??= new Map<CreateGpu, Map<string, GPU>>());

/**
 * The GPU object of these flags and these drivers (default: the environment's), kept for the life of the process. There is
 * one of each: when an object first looks at Mesa's software adapter, Dawn writes two warnings about `maxDynamic...` limits
 * to stderr. Dawn has no switch for them, and Node cannot turn a file descriptor away and back.
 */
export function createHeld(
  create: CreateGpu,
  flags: readonly string[],
  drivers: string | undefined = driverOverride()?.value,
): GPU {
  const key = JSON.stringify([flags, drivers]);
  let objects = kept.get(create);
  if (!objects) kept.set(create, (objects = new Map()));
  let gpu = objects.get(key);
  if (!gpu) objects.set(key, (gpu = create([...flags])));
  return gpu;
}

/** The system's adapters, best first: discrete GPU, integrated GPU, software. Empty when Dawn finds none. */
export async function listAdapters(create: CreateGpu, flags: readonly string[]): Promise<ListedAdapter[]> {
  return (await whyNoSystemAdapter()) === undefined ? listSystem(create, flags) : [];
}

const BEST: GPURequestAdapterOptions = { powerPreference: 'high-performance' };

// Dawn has no call that lists adapters, but its error about a name that matches none lists them all.
const IMPOSSIBLE = 'adapter=\u2205 no such adapter';

async function listSystem(create: CreateGpu, flags: readonly string[]): Promise<ListedAdapter[]> {
  try {
    await createHeld(create, [...flags, IMPOSSIBLE]).requestAdapter(BEST);
    return []; // null, so nothing to list
  } catch (error) {
    return parseAdapterList(String(error));
  }
}

/** Reads Dawn's list: lines of the form ` * backend: 'vulkan', name: 'llvmpipe (LLVM 15.0.6, 256 bits)'`. */
export function parseAdapterList(message: string): ListedAdapter[] {
  return [...message.matchAll(/\* backend: '(.*?)', name: '(.*)'/g)].map((m) => ({
    backend: m[1]!,
    name: m[2]!,
  }));
}

/** Finds an adapter in the order of `AdapterOrigin`, or throws one NoAdapterError that says what was missing and how to fix it. */
export async function pickAdapter(create: CreateGpu, request: AdapterRequest): Promise<NodeGpu> {
  if (request.asked?.toLowerCase().startsWith(EMBEDDED)) {
    if (request.requireGpu) throw softwareRefused(EMBEDDED);
    return openEmbedded(create, request);
  }
  const missing = await whyNoSystemAdapter();
  const names = missing === undefined ? await listSystem(create, request.flags) : [];
  if (names.length > 0) return openSystem(create, request, names);
  const reason = missing ?? refused();
  if (request.asked !== undefined) throw askedInVain(request.asked, reason, []);
  if (request.requireGpu) throw noAdapter([`a GPU is required, but ${reason}`], systemFix(true));
  return openEmbedded(create, request, reason);
}

async function openSystem(
  create: CreateGpu,
  request: AdapterRequest,
  names: readonly ListedAdapter[],
): Promise<NodeGpu> {
  const asked = request.asked ?? '';
  const chosen = names.find(({ name }) => name.toLowerCase().includes(asked.toLowerCase()));
  if (!chosen) throw askedInVain(asked, 'no name of an adapter has that in it', names);
  const gpu = createHeld(create, [...request.flags, `adapter=${chosen.name}`]);
  const adapter = await gpu.requestAdapter(BEST);
  if (!adapter) throw noAdapter([`Dawn listed "${chosen.name}" but did not open it`]);
  const software = isSoftware(adapter.info);
  if (software && request.requireGpu) throw softwareRefused(chosen.name);
  const origin = driverOverride() ? 'environment' : software ? 'system-software' : 'gpu';
  return {
    gpu,
    webgpu: DAWN_NAME,
    origin,
    adapterName: chosen.name,
    software,
    notes: software ? [softwareNote(chosen.name)] : [],
  };
}

/** Opens SwiftShader; `systemReason` says why no system adapter serves, if one was wanted. */
async function openEmbedded(
  create: CreateGpu,
  request: AdapterRequest,
  systemReason?: string,
): Promise<NodeGpu> {
  const tried = systemReason === undefined ? [] : [systemReason];
  const driver = await embeddedDriver(tried);
  if (!(await pinAnyLoader())) throw noAdapter([...tried, `the loader ${driver.loader} does not load`]);
  // Dawn loads Vulkan in the first requestAdapter() of a GPU object, before that call returns, and keeps it.
  const gpu = createHeld(create, request.flags, driver.manifest);
  const open = () => gpu.requestAdapter(BEST);
  const adapter = await withDriver(driver.manifest, open, await nativeSetter());
  if (!adapter) throw noAdapter([...tried, `the embedded SwiftShader of ${driver.manifest} does not start`]);
  const { architecture, device, description } = adapter.info;
  const adapterName = description || device;
  // Where the loader does not see the choice it takes the system's drivers.
  if (!`${architecture} ${adapterName}`.toLowerCase().includes(EMBEDDED)) {
    throw noAdapter(
      [...tried, `Dawn opened "${adapterName}" in place of the embedded SwiftShader`],
      `start the program with VK_DRIVER_FILES=${driver.manifest}`,
    );
  }
  const notes = [
    softwareNote(adapterName),
    ...tried.map((reason) => `the embedded software adapter is used: ${reason}`),
  ];
  return { gpu, webgpu: DAWN_NAME, origin: 'embedded-software', adapterName, software: true, notes };
}

/** What a person should know of a software adapter. */
export function softwareNote(name: string): string {
  return `"${name}" is a software adapter: results are right, timings describe the processor and not a GPU`;
}

/** Unpacks the embedded driver; throws NoAdapterError, with what was `tried` before, when there is none for this machine. */
async function embeddedDriver(tried: readonly string[]): Promise<EmbeddedDriver> {
  if (!embeddedRunsHere()) {
    const here = `${process.platform}-${process.arch}`;
    throw noAdapter([...tried, `the embedded software adapter runs on linux-x64 only, this is ${here}`]);
  }
  const archive = findArchive();
  if (!archive) {
    throw noAdapter(
      [...tried, 'the embedded software adapter (@sparticuz/chromium) is not installed'],
      EMBEDDED_INSTALL,
    );
  }
  try {
    return await unpackDriver(archive);
  } catch (cause) {
    const why = messageOf(cause);
    throw noAdapter([...tried, why], 'set XDG_CACHE_HOME to a writable folder', { cause });
  }
}

/** Gets a Vulkan loader into the process: the system's, else the embedded one, which finds system drivers as well. */
async function pinAnyLoader(): Promise<boolean> {
  if (pinLibrary(VULKAN_LOADER)) return true;
  try {
    return pinLibrary((await embeddedDriver([])).loader);
  } catch {
    return false; // the caller names the missing loader
  }
}

/** Why Dawn need not be asked for a system adapter (it would write warnings to stderr); undefined when it may find one. */
async function whyNoSystemAdapter(): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined;
  const override = driverOverride();
  if (override && override.existing.length === 0) {
    return `${override.variable}="${override.value}" names no driver manifest that exists`;
  }
  if (!override && driverManifests().length === 0) {
    return 'no Vulkan driver is installed (no manifest in vulkan/icd.d)';
  }
  return (await pinAnyLoader()) ? undefined : `the Vulkan loader ${VULKAN_LOADER} is not installed`;
}

function refused(): string {
  if (process.platform !== 'linux') return 'Dawn finds no adapter';
  return 'Dawn takes no adapter from the installed Vulkan drivers (Mesa 22.3 of Debian 12 is too old, 25.0 works)';
}

/** The error where there is no adapter at all: why, and what to do about it. */
export function noAdapter(
  reasons: readonly string[],
  hint = systemFix(),
  options?: ErrorOptions,
): NoAdapterError {
  return new NoAdapterError(`nodeGpu: no WebGPU adapter: ${reasons.join('; ')}.`, { ...options, hint });
}

/** The error of a request that nothing fulfils: why, and which adapters there are to ask for. */
function askedInVain(asked: string, reason: string, names: readonly ListedAdapter[]): NoAdapterError {
  const available = names.map(({ name }) => `"${name}"`);
  if (embeddedRunsHere() && findArchive()) available.push(`"${EMBEDDED}" (embedded)`);
  const hint = names.length > 0 ? 'ask for a part of one of these names' : systemFix();
  return new NoAdapterError(
    `nodeGpu: adapter "${asked}" was asked for, but ${reason}; available: ${available.join(', ') || 'none'}.`,
    { hint },
  );
}

const GPU_DRIVER = "install the driver of this machine's GPU";

/** The error of a request for a GPU where this software adapter is what there is. */
export function softwareRefused(name: string): NoAdapterError {
  const found = `nodeGpu: a GPU is required, but "${name}" is a software adapter`;
  return new NoAdapterError(`${found}.`, { hint: `${GPU_DRIVER}, or leave --require-gpu (requireGpu) out` });
}

function systemFix(requireGpu = false): string {
  const override = driverOverride();
  if (override) return `unset ${override.variable}`;
  if (process.platform !== 'linux' || requireGpu) return GPU_DRIVER;
  return 'apt-get install libvulkan1 mesa-vulkan-drivers   (as root; on Debian 12 with -t bookworm-backports)';
}
