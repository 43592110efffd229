// builtGqa.ts: the `gqa` command built as a package has it, once for a run of tests.
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { inject } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

// On globalThis, because the test runner may load this module anew in the same process.
const holder = globalThis as { [key: symbol]: Promise<string> | undefined };
const KEY = Symbol.for('gqa-webgpu.built-command');

/** The path of the built command. Started from the source, every process would transform all of it anew. */
export function builtGqa(): Promise<string> {
  return (holder[KEY] ??= buildCommand());
}

async function buildCommand(): Promise<string> {
  const outDir = `${inject('runFolder')}/${process.pid}`;
  await build({
    root,
    configFile: `${root}vite.config.ts`,
    mode: 'lib',
    logLevel: 'error',
    build: { outDir, sourcemap: false, reportCompressedSize: false },
  });
  return `${outDir}/cli.js`;
}
