// run.mjs: runs a TypeScript file of the repository with the arguments that follow it, through Vite and without a build.
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
const [file] = process.argv.splice(2, 1);
await runnerImport(`${root}${file}`, { root, configFile: false, logLevel: 'warn' });
