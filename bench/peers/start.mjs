// start.mjs: `npm run bench:peers`: installs the peers on the first run (not with --no-install), then runs main.ts.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Packages of node-llama-cpp with binaries for a machine, without those for CUDA, which come to hundreds of MB.
 * @type {Readonly<Record<string, readonly string[]>>}
 */
const LLAMA_CPP_BINARIES = {
  'linux-x64': ['linux-x64', 'linux-x64-vulkan'],
  'linux-arm64': ['linux-arm64'],
  'win32-x64': ['win-x64', 'win-x64-vulkan'],
  'win32-arm64': ['win-arm64'],
  'darwin-x64': ['mac-x64'],
  'darwin-arm64': ['mac-arm64-metal'],
};

/**
 * Whether npm has installed what a folder's file names: it keeps a lock file of its own beside that.
 * @param {string} folder
 * @param {string} file
 */
function installed(folder, file) {
  const [wanted, found] = [`${folder}${file}`, `${folder}node_modules/.package-lock.json`];
  return existsSync(found) && statSync(found).mtimeMs >= statSync(wanted).mtimeMs;
}

/**
 * @param {string} folder
 * @param {string[]} args
 */
function npm(folder, ...args) {
  /** @type {import('node:child_process').SpawnSyncOptions} */
  const options = { cwd: folder, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' };
  // Without install scripts: onnxruntime-node's would download parts for CUDA.
  const { status } = spawnSync('npm', [...args, '--ignore-scripts'], options);
  if (status !== 0)
    process.stderr.write(`warning  npm ${args[0]} failed: peers that are missing get rows that say so\n`);
}

/** Without a lock file, which would name packages for systems whose binaries not every registry has. */
function installLlamaCpp() {
  const folder = `${here}llamaCpp/`;
  if (installed(folder, 'package.json')) return;
  process.stderr.write('installing llama.cpp into bench/peers/llamaCpp/node_modules (about 155 MB, once)\n');
  const { dependencies } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8'));
  const names = LLAMA_CPP_BINARIES[`${process.platform}-${process.arch}`] ?? [];
  const binaries = names.map((name) => `@node-llama-cpp/${name}@${dependencies['node-llama-cpp']}`);
  npm(folder, 'install', '--no-save', ...binaries);
}

const skip = process.argv.indexOf('--no-install');
if (skip > 0) process.argv.splice(skip, 1);

if (skip < 0) {
  if (!installed(here, 'package-lock.json')) {
    process.stderr.write('installing the peers into bench/peers/node_modules (about 440 MB, once)\n');
    npm(here, 'ci');
  }
  if (process.argv.includes('--whole')) installLlamaCpp();
}
await runnerImport(`${here}main.ts`, { root, configFile: false, logLevel: 'warn' });
