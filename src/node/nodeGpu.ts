// nodeGpu.ts: WebGPU in Node and Bun through Dawn, in Deno through its own or Dawn. The only file that imports the package `webgpu`.
import { messageOf, NoAdapterError, ShapeError } from '../device/errors.ts';
import { checkBoolean, checkOptions, describe, type Known } from '../device/options.ts';
import {
  createHeld,
  dawnInstall,
  type CreateGpu,
  listAdapters,
  type ListedAdapter,
  type NodeGpu,
  pickAdapter,
} from './adapters.ts';
import { ownGpu, pickOwn } from './ownGpu.ts';
import { environment, runtimeOf } from './runtime.ts';

/** Which adapter to take. */
export interface NodeGpuOptions {
  /**
   * Part of the adapter's name, in any case, or `swiftshader` for the embedded software adapter. Default: the environment
   * variable GQA_ADAPTER, else the best adapter there is.
   */
  readonly adapter?: string;
  /** Refuse software adapters. Default false. */
  readonly requireGpu?: boolean;
  /**
   * More flags for Dawn, such as `enable-dawn-features=dump_shaders`. Dawn ignores unknown ones silently.
   * Default none.
   */
  readonly dawnFlags?: readonly string[];
}

const NODE_OPTIONS = { adapter: true, requireGpu: true, dawnFlags: true } satisfies Known<NodeGpuOptions>;

/**
 * Opens WebGPU in Node. The order: the adapter asked for (by the option, GQA_ADAPTER, VK_DRIVER_FILES or
 * VK_ICD_FILENAMES), a GPU, a system software adapter, the embedded software adapter. Timestamps are exact, not
 * rounded to 65 536 ns. In Deno it is the best adapter of its `navigator.gpu`, or the one of its offers that has the name:
 * no package and no permission is needed then, and there is no embedded adapter; with `dawnFlags` it is Dawn's there too.
 * Throws NoAdapterError, which says what was looked for and how to fix it.
 */
export async function nodeGpu(options: NodeGpuOptions = {}): Promise<NodeGpu> {
  checkOptions('nodeGpu', options, NODE_OPTIONS);
  const { adapter = environment('GQA_ADAPTER'), requireGpu = false, dawnFlags: flags = [] } = options;
  if (adapter !== undefined && typeof adapter !== 'string') {
    throw new ShapeError(`nodeGpu: adapter: expected a part of a name, got ${describe(adapter)}`);
  }
  checkBoolean('nodeGpu: requireGpu', requireGpu);
  if (!Array.isArray(flags) || !flags.every((flag) => typeof flag === 'string')) {
    throw new ShapeError(`nodeGpu: dawnFlags: expected an array of texts, got ${describe(flags)}`);
  }
  const request = { asked: adapter, requireGpu, flags: dawnFlags(flags) };
  // Deno's own needs no package and no permission; flags for Dawn want Dawn.
  const own = flags.length === 0 ? ownGpu() : undefined;
  return own ? pickOwn(own, request) : pickAdapter(await loadDawn(), request);
}

/** Dawn's flag for features that no browser offers. */
const EXPERIMENTAL_FEATURES = 'enable-dawn-features=allow_unsafe_apis';

/** The system's adapters, best first, without the embedded one. Throws NoAdapterError when Dawn is not installed. */
export async function nodeAdapters(): Promise<ListedAdapter[]> {
  return listAdapters(await loadDawn(), dawnFlags([]));
}

/** A GPU that compiles and validates WGSL with every feature, experimental ones too, on any machine, and runs nothing. */
export async function validatorGpu(): Promise<GPU> {
  return createHeld(await loadDawn(), ['backend=null', EXPERIMENTAL_FEATURES]);
}

const EXACT_TIMESTAMPS = 'timestamp_quantization';

/** @internal Adds our flag to the caller's; Dawn keeps only the last of several lists of disabled features, so there must be one. */
export function dawnFlags(extra: readonly string[]): string[] {
  const key = 'disable-dawn-features=';
  const disabled = extra.filter((flag) => flag.startsWith(key)).map((flag) => flag.slice(key.length));
  return [
    `${key}${[EXACT_TIMESTAMPS, ...disabled].join(',')}`,
    ...extra.filter((flag) => !flag.startsWith(key)),
  ];
}

// Not a literal, and with the words for webpack and Vite: a bundle must leave this package where it is, for it looks for
// its binary beside itself.
const DAWN: string = 'webgpu';

async function loadDawn(): Promise<CreateGpu> {
  try {
    const dawn = (await import(/* webpackIgnore: true */ /* @vite-ignore */ DAWN)) as typeof import('webgpu');
    return dawn.create;
  } catch (error) {
    throw dawnMissing(error);
  }
}

/** @internal Says why the package `webgpu` did not load: it is absent, or its binary does not run on this platform. */
export function dawnMissing(cause: unknown): NoAdapterError {
  const why = messageOf(cause);
  // Node and Bun quote the name in one way, Deno in the other.
  const absent = /(['"])webgpu\1/.test(why);
  if (absent) {
    const hint = dawnInstall(runtimeOf().kind);
    return new NoAdapterError(`nodeGpu: the package "${DAWN}" is not installed.`, { cause, hint });
  }
  const here = `${process.platform}-${process.arch}`;
  return new NoAdapterError(`nodeGpu: the package "${DAWN}" does not load on ${here}: ${why}`, { cause });
}
