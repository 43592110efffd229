// debian.ts: Debian 13's packages of Mesa, unpacked in a folder: nothing is installed, and any C library will do outside.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GqaError } from '../../../src/index.ts';
import { runProgram } from './programs.ts';

/** The release that has all four drivers; their compilers are those of its Mesa. */
const RELEASE = 'trixie';

const KEYRINGS = ['gpg', 'pgp'].map((kind) => `/usr/share/keyrings/debian-archive-keyring.${kind}`);

/** The drivers, the loader, and what Mesa's source is built with. */
const PACKAGES = [
  'mesa-vulkan-drivers',
  'mesa-drm-shim',
  'libvulkan1',
  'libvulkan-dev',
  'libdrm-dev',
  'libexpat1-dev',
  'zlib1g-dev',
  'meson',
  'ninja-build',
  'pkgconf',
  'python3-mako',
  'python3-yaml',
  'python3-packaging',
  'bison',
  'flex',
  'm4',
  'glslang-tools',
];

/** Headers that other packages depend on: what is built here is built with those of this machine's compiler. */
const OF_COMPILER = /^(libc6-dev|linux-libc-dev|libcrypt-dev)_/;

/** Debian's files under a folder. */
export interface DebianRoot {
  /** What would be `/`. */
  readonly folder: string;
  readonly libraries: string;
  /** Of its C library: `loader --library-path LIBRARIES PROGRAM` runs a program on all of them. */
  readonly loader: string;
  /** Mesa's source, as upstream packed it. */
  readonly mesaSource: string;
  /** The version of Debian's package of Mesa. */
  readonly mesaVersion: string;
}

/**
 * The packages unpacked under `cache`, fetched from `mirror` where they are not there yet: 130 MB, 450 MB unpacked. The
 * folder appears once it is whole. Throws GqaError when a package cannot be had.
 */
export function debianRoot(cache: string, mirror: string, note: (line: string) => void): DebianRoot {
  const folder = join(cache, RELEASE);
  if (!existsSync(folder)) {
    note(`fetching Mesa from ${mirror} into ${folder} (130 MB, once)`);
    const partial = `${folder}.partial`;
    rmSync(partial, { recursive: true, force: true });
    fetchPackages(partial, mirror);
    renameSync(partial, folder);
  }
  return rootOf(folder);
}

function rootOf(folder: string): DebianRoot {
  const libraries = join(folder, 'usr/lib/x86_64-linux-gnu');
  const [source] = readdirSync(join(folder, 'source')).filter((name) => name.endsWith('.tar.xz'));
  if (source === undefined) throw new GqaError('isa', `${folder}: expected Mesa's source, found none`);
  return {
    folder,
    libraries,
    loader: join(libraries, 'ld-linux-x86-64.so.2'),
    mesaSource: join(folder, 'source', source),
    mesaVersion: runProgram('dpkg-deb', ['--field', join(folder, 'mesa.deb'), 'Version']).trim(),
  };
}

function fetchPackages(folder: string, mirror: string): void {
  const keyring = KEYRINGS.find((file) => existsSync(file));
  if (!keyring)
    throw new GqaError('isa', 'bench:isa: apt has no keys of Debian: install debian-archive-keyring');
  const apt = join(folder, 'apt');
  for (const part of ['lists/partial', 'archives/partial', 'source'])
    mkdirSync(join(apt, part), { recursive: true });
  const signed = `[signed-by=${keyring}] ${mirror} ${RELEASE} main\n`;
  writeFileSync(join(apt, 'sources.list'), `deb ${signed}deb-src ${signed}`);
  writeFileSync(join(apt, 'status'), '');
  const get = (...args: string[]) =>
    runProgram('apt-get', [...aptOptions(apt), ...args], { cwd: join(apt, 'source') });
  get('update');
  get('install', '--yes', '--no-install-recommends', '--download-only', ...PACKAGES);
  get('source', '--download-only', '--tar-only', 'mesa');
  const archives = join(apt, 'archives');
  const debs = readdirSync(archives).filter((name) => name.endsWith('.deb') && !OF_COMPILER.test(name));
  for (const deb of debs) runProgram('dpkg', ['--extract', join(archives, deb), folder]);
  renameSync(join(apt, 'source'), join(folder, 'source'));
  const mesa = debs.find((name) => name.startsWith('mesa-vulkan-drivers_'))!;
  renameSync(join(archives, mesa), join(folder, 'mesa.deb'));
  rmSync(apt, { recursive: true });
}

/** Has apt see this one release and an empty system, and keep all that it writes in a folder. */
function aptOptions(apt: string): string[] {
  const settings = {
    'Dir::Etc::sourcelist': join(apt, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::lists': join(apt, 'lists'),
    'Dir::State::status': join(apt, 'status'),
    'Dir::Cache::archives': join(apt, 'archives'),
    'Dir::Cache::pkgcache': '',
    'Dir::Cache::srcpkgcache': '',
    'APT::Architecture': 'amd64',
    // Its own user may not read a home folder.
    'APT::Sandbox::User': '',
  };
  return ['-qq', ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
}
