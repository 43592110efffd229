// project.ts: a clean clone of this repository, the package that it packs, and a fresh project that has it installed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '../../scripts/resultFiles.ts';

const TOOLS = join(ROOT, 'test/package');

// Without colours, which CI systems force: what programs print is compared.
const { FORCE_COLOR: _, ...inherited } = process.env;
const env = { ...inherited, NO_COLOR: '1' };

/** Runs a program to its end and returns what it printed on stdout. Throws Error with all that it printed when it fails. */
export function run(cwd: string, program: string, ...args: string[]): string {
  return runWith({}, cwd, program, ...args);
}

/** The same with more variables in the environment. */
export function runWith(
  variables: NodeJS.ProcessEnv,
  cwd: string,
  program: string,
  ...args: string[]
): string {
  const shell = process.platform === 'win32';
  const options = {
    cwd,
    env: { ...env, ...variables },
    encoding: 'utf8',
    shell,
    maxBuffer: 2 ** 26,
  } as const;
  const done = spawnSync(program, args, options);
  if (done.status === 0) return done.stdout;
  const why = done.error?.message ?? `exit code ${done.status}`;
  throw new Error(`${[program, ...args].join(' ')}: ${why}\n${done.stdout ?? ''}${done.stderr ?? ''}`);
}

export function node(cwd: string, ...args: string[]): string {
  return run(cwd, process.execPath, ...args);
}

/** Installs the tools, once; npm keeps a lock file of its own beside what it installed. Throws Error when it cannot. */
export function installTools(): void {
  const [wanted, found] = [join(TOOLS, 'package-lock.json'), join(TOOLS, 'node_modules/.package-lock.json')];
  if (existsSync(found) && statSync(found).mtimeMs >= statSync(wanted).mtimeMs) return;
  run(TOOLS, 'npm', 'ci', '--ignore-scripts');
}

/** A file of a tool; undefined where it was not installed, as those of other platforms. */
export function tool(path: string): string | undefined {
  const file = join(TOOLS, 'node_modules', path);
  return existsSync(file) ? file : undefined;
}

/** Deno's binary; undefined where there is none for this machine. */
export function denoBinary(): string | undefined {
  const libc = process.platform === 'linux' ? '-glibc' : '';
  return tool(`@deno/${process.platform}-${process.arch}${libc}/deno`);
}

/** A clone of the last commit with the packages that are installed here. */
export function cloneHere(folder: string): void {
  run(ROOT, 'git', 'clone', '--quiet', '--no-hardlinks', ROOT, folder);
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
}

/** What `npm pack` made. */
export interface Packed {
  readonly tarball: string;
  readonly files: readonly string[];
}

/** Packs `clone` into the empty folder `into`. The tarball itself is read: npm's own list comes after all that the build prints. */
export function pack(clone: string, into: string): Packed {
  mkdirSync(into);
  run(clone, 'npm', 'pack', '--silent', '--pack-destination', into);
  const [name = '', ...more] = readdirSync(into);
  if (!name.endsWith('.tgz') || more.length > 0)
    throw new Error(`npm pack: expected one .tgz in ${into}, got ${[name, ...more].join(', ') || 'nothing'}`);
  const tarball = join(into, name);
  const entries = run(into, 'tar', '-tzf', name).trim().split('\n');
  return { tarball, files: entries.map((entry) => entry.replace(/^package\//, '')) };
}

/** An empty project, its package.json as `npm init` would leave it, with `what` installed. */
export function install(project: string, ...what: string[]): void {
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, 'package.json'), '{ "name": "fresh", "version": "1.0.0", "type": "module" }');
  run(project, 'npm', 'install', '--no-audit', '--no-fund', ...what);
}

/** Puts a package of this repository into a project, as an install from the registry would. */
export function link(project: string, name: string): void {
  const place = join(project, 'node_modules', name);
  mkdirSync(dirname(place), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules', name), place);
}
