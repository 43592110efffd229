// thirdParty.ts: a plugin of the build: the licence texts of all packages that a bundle holds, in one file beside it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Plugin } from 'vite';

/** The file's name in the output folder; there is none where no package is bundled. */
export const THIRD_PARTY = 'THIRD_PARTY_LICENSES.txt';

const LICENCE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;
const RULE = '-'.repeat(80);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Writes THIRD_PARTY, of `others` too. The build fails when a bundled package has no licence text. */
export function thirdPartyLicences(others: ReadonlySet<string> = new Set()): Plugin {
  return {
    name: 'third-party-licences',
    generateBundle(_, bundle) {
      const folders = withDependencies([...foldersIn(bundle), ...others]);
      if (folders.length === 0) return;
      const source = folders.toSorted().map(licenceOf).join(`\n${RULE}\n\n`);
      this.emitFile({ type: 'asset', fileName: THIRD_PARTY, source });
    },
  };
}

/** For workers, whose bundles are made before that which starts them: adds the folders of their packages to `others`. */
export function workerPackages(others: Set<string>): Plugin {
  return {
    name: 'worker-packages',
    generateBundle(_, bundle) {
      for (const folder of foldersIn(bundle)) others.add(folder);
    },
  };
}

type Bundle = Readonly<
  Record<
    string,
    { readonly type: 'asset' } | { readonly type: 'chunk'; readonly moduleIds: readonly string[] }
  >
>;

function foldersIn(bundle: Bundle): string[] {
  const modules = Object.values(bundle).flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []));
  return modules.flatMap((id) => packageFolder(id) ?? []);
}

/** The folder of the package that a module is of; undefined for our own modules. */
export function packageFolder(id: string): string | undefined {
  const path = id.replaceAll('\\', '/').replace(/^\0/, '');
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0];
}

/** These packages and all they depend on: a package may have been published with its dependencies bundled into it. */
function withDependencies(folders: readonly string[]): string[] {
  const all = new Set(folders);
  for (const folder of all) {
    for (const name of Object.keys(manifestOf(folder).dependencies ?? {})) all.add(installed(name, folder));
  }
  return [...all];
}

/** The folder of a dependency, as Node finds it from a package's folder. */
function installed(name: string, from: string): string {
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) {
    const found = join(folder, 'node_modules', name);
    if (existsSync(found)) return found;
  }
  throw new Error(`${THIRD_PARTY}: expected ${name}, which ${from} depends on, found none`);
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** A package's name, version, kind of licence and the text of it. Throws when it has none. */
function licenceOf(folder: string): string {
  const { name, version, license } = manifestOf(folder);
  const files = readdirSync(folder).filter((file) => LICENCE.test(file));
  if (files.length === 0) throw new Error(`${THIRD_PARTY}: expected a licence text in ${folder}, found none`);
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
  return `${name} ${version} (${license})\n\n${texts.join('\n\n')}\n`;
}
