// absentGpu.ts: runs a program on the compilers of GPUs that are not there.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GqaError } from '../../../src/index.ts';
import type { DriverName, Family } from '../families.ts';
import type { DebianRoot } from './debian.ts';
import type { MesaBuild } from './mesaBuild.ts';
import { runProgram } from './programs.ts';

/** Drivers and stubs, by driver. */
export interface Drivers {
  readonly root: DebianRoot;
  readonly libraries: Readonly<Record<DriverName, { readonly driver: string; readonly stub?: string }>>;
  /** The folder of the layer and of manifests. */
  readonly manifests: string;
}

const LAYER = fileURLToPath(new URL('../layer/', import.meta.url));

const LAYER_NAME = 'VK_LAYER_GQA_isa';

/** Builds the layer into a folder that is there, and writes the manifests by which the loader finds it and the drivers. */
export function prepareDrivers(manifests: string, root: DebianRoot, built: MesaBuild): Drivers {
  const library = join(manifests, 'libgqa_isa.so');
  const sources = ['layer.c', 'absence.c', 'pipelines.c'].map((name) => join(LAYER, name));
  const flags = ['-std=c11', '-D_GNU_SOURCE', '-O1', '-Wall', '-fPIC', '-shared', '-fvisibility=hidden'];
  runProgram('gcc', [...flags, `-I${root.folder}/usr/include`, '-o', library, ...sources]);
  const layer = { name: LAYER_NAME, type: 'GLOBAL', library_path: library, api_version: '1.3.0' };
  const described = {
    ...layer,
    implementation_version: '1',
    description: 'compiles for a GPU that is not there',
  };
  writeFileSync(
    join(manifests, 'layer.json'),
    JSON.stringify({ file_format_version: '1.2.0', layer: described }),
  );
  const inRoot = (name: string) => join(root.libraries, name);
  const libraries = {
    radeon: { driver: inRoot('libvulkan_radeon.so') },
    intel: { driver: inRoot('libvulkan_intel.so'), stub: built.intelStub },
    nouveau: { driver: inRoot('libvulkan_nouveau.so'), stub: inRoot('libnouveau_noop_drm_shim.so') },
    freedreno: { driver: built.adrenoDriver, stub: built.adrenoStub },
  };
  for (const [name, { driver }] of Object.entries(libraries)) {
    const ICD = { library_path: driver, api_version: '1.4.0' };
    writeFileSync(join(manifests, `${name}.json`), JSON.stringify({ file_format_version: '1.0.0', ICD }));
  }
  return { root, libraries, manifests };
}

/** What would choose other drivers or libraries. */
const UNSET = {
  GQA_ADAPTER: undefined,
  VK_ICD_FILENAMES: undefined,
  VK_ADD_DRIVER_FILES: undefined,
  LD_PRELOAD: undefined,
  LD_LIBRARY_PATH: undefined,
};

/**
 * Runs Node with these arguments to its end on the compiler of a family; what is compiled is written into `folder`
 * (layer/pipelines.c). Rejects with GqaError and the end of what it said when it fails, with
 * the signal's reason once that aborts.
 */
export async function runOnAbsentGpu(
  { root, libraries, manifests }: Drivers,
  { name, driver, chip: [variable, value] }: Family,
  args: readonly string[],
  { folder, signal }: { readonly folder: string; readonly signal: AbortSignal },
): Promise<void> {
  const { stub } = libraries[driver];
  const preload = stub ? ['--preload', stub] : [];
  // Under the C library that the drivers were built for; this one's may be older.
  const command = [...preload, '--library-path', root.libraries, process.execPath, ...args];
  const child = spawn(root.loader, command, {
    signal,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      ...UNSET,
      VK_DRIVER_FILES: join(manifests, `${driver}.json`),
      VK_LAYER_PATH: manifests,
      VK_INSTANCE_LAYERS: LAYER_NAME,
      MESA_SHADER_CACHE_DISABLE: '1',
      NVK_I_WANT_A_BROKEN_VULKAN_DRIVER: '1',
      ISA_FOLDER: folder,
      [variable]: value,
    },
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)));
  const status = await new Promise((resolve) => {
    child.on('error', resolve).on('close', (code, killed) => resolve(code ?? killed));
  });
  signal.throwIfAborted();
  if (status !== 0)
    throw new GqaError('isa', `${name}: compiling ended with ${String(status)}\n${said.trim()}`);
}
