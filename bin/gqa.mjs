#!/usr/bin/env node
// The `gqa` command: from a clone it runs the TypeScript source through Vite, from an installed package the built file.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = `${root}cli/run.ts`;
if (existsSync(source)) {
  const { runnerImport } = await import('vite');
  await runnerImport(source, { root, configFile: false, logLevel: 'warn' });
} else {
  await import('../dist/cli.js');
}
