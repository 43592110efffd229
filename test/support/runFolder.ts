// runFolder.ts: a folder for what is built once for a run of tests, removed with its end.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    runFolder: string;
  }
}

// Inside the repository, where what is built finds `webgpu`.
const CACHE = fileURLToPath(new URL('../../node_modules/.vite/', import.meta.url));

/** Vitest's global setup; tests get the folder by `inject('runFolder')`. */
export default function setup({ provide }: TestProject): () => void {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(`${CACHE}gqa-`);
  provide('runFolder', folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
