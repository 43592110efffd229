// mesaBuild.ts: what no package has, built from Mesa's source: the driver for Adreno, and stubs of Intel's and its kernel devices.
import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import type { DebianRoot } from './debian.ts';
import { runProgram } from './programs.ts';

/** Libraries that were built. */
export interface MesaBuild {
  readonly intelStub: string;
  readonly adrenoStub: string;
  readonly adrenoDriver: string;
}

/** By their places in the build. */
const BUILT = {
  intelStub: 'src/intel/tools/libintel_noop_drm_shim.so',
  adrenoStub: 'src/freedreno/drm-shim/libfreedreno_noop_drm_shim.so',
  adrenoDriver: 'src/freedreno/vulkan/libvulkan_freedreno.so',
} as const;

const OFF = ['glx', 'egl', 'gbm', 'llvm', 'zstd', 'xmlconfig', 'shader-cache', 'libunwind', 'valgrind'];

const SETUP = [
  '--buildtype=release',
  '-Db_ndebug=true',
  '-Dplatforms=',
  '-Dgallium-drivers=crocus',
  '-Dvulkan-drivers=freedreno',
  '-Dfreedreno-kmds=msm',
  '-Dtools=drm-shim,intel',
  '-Dopengl=false',
  '-Dvideo-codecs=',
  '-Dvulkan-layers=',
  '-Dbuild-tests=false',
  '-Dlmsensors=disabled',
  ...OFF.map((name) => `-D${name}=disabled`),
];

/** The libraries under `cache`, built where they are not there yet. Throws GqaError when that fails. */
export function mesaBuild(cache: string, root: DebianRoot, note: (line: string) => void): MesaBuild {
  const folder = join(cache, `mesa-${root.mesaVersion}`);
  if (!existsSync(folder)) {
    note(
      `building Mesa's driver for Adreno and two stubs into ${folder} (once; about 10 minutes of one core)`,
    );
    const work = `${folder}.partial`;
    rmSync(work, { recursive: true, force: true });
    build(work, root);
    const out = join(work, 'out');
    mkdirSync(out);
    for (const file of Object.values(BUILT))
      copyFileSync(join(work, 'build', file), join(out, basename(file)));
    renameSync(out, folder);
    rmSync(work, { recursive: true });
  }
  const built = (file: string) => join(folder, basename(file));
  return {
    intelStub: built(BUILT.intelStub),
    adrenoStub: built(BUILT.adrenoStub),
    adrenoDriver: built(BUILT.adrenoDriver),
  };
}

function build(work: string, root: DebianRoot): void {
  const [source, target] = [join(work, 'source'), join(work, 'build')];
  mkdirSync(source, { recursive: true });
  runProgram('tar', ['--extract', '--file', root.mesaSource, '--directory', source, '--strip-components=1']);
  const env = buildEnvironment(join(work, 'tools'), root);
  const meson = join(root.folder, 'usr/bin/meson');
  runProgram('python3', [meson, 'setup', target, source, ...SETUP], { env });
  const jobs = `-j${availableParallelism()}`;
  runProgram('nice', ['ninja', '-C', target, jobs, ...Object.values(BUILT)], { env });
}

/** Programs of the unpacked packages that the build calls, by the names it calls them by. */
const PROGRAMS = {
  bison: 'bison',
  flex: 'flex',
  m4: 'm4',
  glslangValidator: 'glslangValidator',
  ninja: 'ninja',
  'pkg-config': 'pkgconf',
};

/** What the build may find: it would take other libraries too, and SPIRV-Tools is for the C library of Debian 13 alone. */
const LIBRARIES = ['libdrm', 'expat', 'zlib'];

/** An environment in which those programs, their Python modules and those libraries are found. */
function buildEnvironment(tools: string, { folder, libraries, loader }: DebianRoot): Record<string, string> {
  mkdirSync(tools);
  for (const [name, program] of Object.entries(PROGRAMS)) {
    const path = join(tools, name);
    const run = `exec '${loader}' --library-path '${libraries}' '${join(folder, 'usr/bin', program)}' "$@"`;
    writeFileSync(path, `#!/bin/sh\n${run}\n`);
    chmodSync(path, 0o755);
  }
  for (const name of LIBRARIES) {
    copyFileSync(join(libraries, 'pkgconfig', `${name}.pc`), join(tools, `${name}.pc`));
  }
  return {
    PATH: `${tools}:${process.env.PATH ?? ''}`,
    M4: join(tools, 'm4'),
    BISON_PKGDATADIR: join(folder, 'usr/share/bison'),
    PYTHONPATH: join(folder, 'usr/lib/python3/dist-packages'),
    PKG_CONFIG_LIBDIR: tools,
    PKG_CONFIG_SYSROOT_DIR: folder,
  };
}
