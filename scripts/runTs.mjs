// runTs.mjs: runs a TypeScript file of this repository, through Vite: `node scripts/runTs.mjs scripts/charts.ts arguments`.
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
const [entry] = process.argv.splice(2, 1);
await runnerImport(`${root}${entry}`, { root, configFile: false, logLevel: 'warn' });
