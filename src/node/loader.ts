// loader.ts: what of Vulkan this machine has: the loader library and the manifests of its drivers. Linux only.
import { existsSync, readdirSync } from 'node:fs';
import { constants, homedir } from 'node:os';
import { join } from 'node:path';
import { setVariable, type SetVariable } from './nativeEnvironment.ts';

/** The name Dawn opens Vulkan's loader by. */
export const VULKAN_LOADER = 'libvulkan.so.1';

// glibc's flag, absent from Node's constants: the library stays in memory after the (failing) load of an add-on.
const RTLD_NODELETE = 0x1000;

// What Node and Bun say of a library that they loaded and that is no add-on; Deno takes no bare name at all, and Dawn then
// finds out itself.
const LOADED_OR_UNKNOWN = /did not self-register|napi_register_module_v1|Invalid path/;

/**
 * Loads a shared library into this process for good: true when it is now in memory, or when the runtime cannot tell. Node
 * opens the library, finds that it is no add-on and throws, but RTLD_NODELETE keeps it, and whoever asks for its name later
 * gets it. With a bare name this is a silent probe (Dawn itself would write a warning to stderr); with a path it loads a
 * library that no search would find.
 */
export function pinLibrary(file: string): boolean {
  try {
    process.dlopen({ exports: {} }, file, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
    return true;
  } catch (error) {
    return LOADED_OR_UNKNOWN.test(String(error));
  }
}

/** The folders where Vulkan's loader looks for driver manifests, first to last, of the given environment. */
export function manifestFolders(env: NodeJS.ProcessEnv, home: string): string[] {
  const roots = [
    env.XDG_CONFIG_HOME || join(home, '.config'),
    ...paths(env.XDG_CONFIG_DIRS || '/etc/xdg'),
    '/usr/local/etc',
    '/etc',
    env.XDG_DATA_HOME || join(home, '.local/share'),
    ...paths(env.XDG_DATA_DIRS || '/usr/local/share:/usr/share'),
  ];
  return [...new Set(roots)].map((root) => join(root, 'vulkan/icd.d'));
}

/** Paths of the driver manifests that the loader finds when no variable chooses: those of the folders, and VK_ADD_DRIVER_FILES. */
export function driverManifests(env: NodeJS.ProcessEnv = process.env, home = homedir()): string[] {
  const added = paths(env.VK_ADD_DRIVER_FILES ?? '').filter((path) => existsSync(path));
  const found = manifestFolders(env, home)
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.json'))
        .toSorted()
        .map((name) => join(folder, name)),
    );
  return [...added, ...found];
}

function paths(list: string): string[] {
  return list.split(':').filter((path) => path !== '');
}

/** The drivers the user named by VK_DRIVER_FILES or its older name; undefined when neither is set. */
export interface DriverOverride {
  readonly variable: 'VK_DRIVER_FILES' | 'VK_ICD_FILENAMES';
  readonly value: string;
  /** The named files and folders that exist. An empty value means "no drivers at all", not "the default ones". */
  readonly existing: string[];
}

/** Reads the user's choice of drivers. VK_DRIVER_FILES wins, as in the loader. */
export function driverOverride(env: NodeJS.ProcessEnv = process.env): DriverOverride | undefined {
  for (const variable of ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'] as const) {
    const value = env[variable];
    if (value === undefined) continue;
    return { variable, value, existing: paths(value).filter((path) => existsSync(path)) };
  }
  return undefined;
}

/** Runs `body`, which must not wait, with only the driver of the manifest visible to Vulkan; restores the variables after. */
export function withDriver<T>(manifest: string, body: () => T, set: SetVariable = setVariable): T {
  const { VK_DRIVER_FILES, VK_ICD_FILENAMES } = process.env;
  // Loaders older than 1.3.207 know only the second name.
  set('VK_DRIVER_FILES', manifest);
  set('VK_ICD_FILENAMES', manifest);
  try {
    return body();
  } finally {
    set('VK_DRIVER_FILES', VK_DRIVER_FILES);
    set('VK_ICD_FILENAMES', VK_ICD_FILENAMES);
  }
}
