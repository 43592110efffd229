// start.mjs: `npm run bench:peers`: installs the peers on the first run (not with --no-install), then runs main.ts.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));

/** npm keeps a lock file of its own beside what it installed. */
function installed() {
  const [wanted, found] = [`${here}package-lock.json`, `${here}node_modules/.package-lock.json`];
  return existsSync(found) && statSync(found).mtimeMs >= statSync(wanted).mtimeMs;
}

const skip = process.argv.indexOf('--no-install');
if (skip > 0) process.argv.splice(skip, 1);

// Without install scripts: onnxruntime-node's would download parts for CUDA.
if (skip < 0 && !installed()) {
  process.stderr.write('installing the peers into bench/peers/node_modules (about 440 MB, once)\n');
  /** @type {import('node:child_process').SpawnSyncOptions} */
  const options = { cwd: here, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' };
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts'], options);
  if (status !== 0)
    process.stderr.write('warning  npm ci failed: peers that are missing get rows that say so\n');
}
await runnerImport(`${here}main.ts`, { root, configFile: false, logLevel: 'warn' });
