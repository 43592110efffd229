#!/usr/bin/env node
// The `gqa` command: from a clone it runs the TypeScript source through Vite, from an installed package the built file.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
if (existsSync(`${root}/src/cli/main.ts`)) {
  const { runnerImport } = await import('vite');
  const { module } = await runnerImport(`${root}/src/cli/main.ts`, { root, configFile: false, logLevel: 'warn' });
  await module.main(process.argv.slice(2));
} else {
  const { main } = await import('../dist/cli.js');
  await main(process.argv.slice(2));
}
