// programs.ts: runs the programs that fetch and build: each to its end, or an error with the last that it said.
import { spawnSync } from 'node:child_process';
import { GqaError } from '../../../src/index.ts';
import { onPath } from '../../../src/node/onPath.ts';

/** Where and with what a program runs; the environment is added to this process's. */
export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const LINES_SHOWN = 12;

/** Runs a program and returns what it printed. Throws GqaError with the end of its output when it fails. */
export function runProgram(name: string, args: readonly string[], options: ProgramOptions = {}): string {
  const { cwd, env } = options;
  const { status, error, stdout, stderr } = spawnSync(name, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd && { cwd }),
    env: { ...process.env, ...env },
  });
  if (status === 0) return stdout;
  const said = `${stdout ?? ''}\n${stderr ?? ''}`.trim().split('\n').slice(-LINES_SHOWN).join('\n');
  const how = error ? error.message : `exit code ${status}`;
  throw new GqaError('isa', `${name} ${args[0] ?? ''} failed: ${how}\n${said}`);
}

/** What fetching and building need, and the Debian package that brings each. */
const NEEDED: Readonly<Record<string, string>> = {
  'apt-get': 'apt',
  dpkg: 'dpkg',
  gcc: 'gcc',
  'g++': 'g++',
  python3: 'python3',
};

/** The machine, as far as `checkMachine` looks at it. */
export interface Machine {
  readonly platform: string;
  readonly arch: string;
  /** The search path of programs. */
  readonly path: string;
}

const HERE: Machine = { platform: process.platform, arch: process.arch, path: process.env.PATH ?? '' };

/** Throws GqaError that says what is missing unless Debian packages can be fetched, unpacked and built with here. */
export function checkMachine({ platform, arch, path }: Machine = HERE): void {
  const needs =
    'compilers come from Debian packages, so it runs on Debian and its relatives alone, on x86-64';
  if (platform !== 'linux' || arch !== 'x64') {
    throw new GqaError('isa', `bench:isa: ${needs}; this is ${platform}-${arch}`);
  }
  const missing = Object.keys(NEEDED).filter((name) => !onPath(path, [name]));
  if (missing.length === 0) return;
  const fix = missing.includes('apt-get')
    ? ''
    : `: apt-get install ${missing.map((name) => NEEDED[name]).join(' ')}`;
  throw new GqaError('isa', `bench:isa: ${needs}; this machine lacks ${missing.join(', ')}${fix}`);
}
