// pageWeight.node.test.ts: what a browser loads of the page before a tab that needs more is opened.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { expect, it } from 'vitest';

/** Compressed, of all files together. */
const MOST_BYTES = 250_000;

it('the Compare tab, its worker and its charts are below 250 kB compressed', async () => {
  const outDir = mkdtempSync(join(tmpdir(), 'gqa-weight-'));
  try {
    await build({ build: { outDir, emptyOutDir: true }, logLevel: 'error' });
    const files = new Map(
      readdirSync(outDir, { recursive: true, encoding: 'utf8' }).map((name) => [basename(name), name]),
    );
    const textOf = (name: string) => readFileSync(join(outDir, files.get(name)!), 'utf8');
    // Tabs beside the first are loaded by themselves; so is all that only they name.
    const page = textOf('index.html');
    const loaded = new Set(['index.html']);
    const visit = (text: string) => {
      for (const [, name] of text.matchAll(/["'`/]([\w.-]+\.(?:js|css))/g)) {
        if (!files.has(name!) || loaded.has(name!) || /^tab-/.test(name!)) continue;
        loaded.add(name!);
        visit(textOf(name!));
      }
    };
    visit(page);
    const sizes = [...loaded].map((name) => [name, gzipSync(textOf(name)).length] as const);
    expect(sizes.some(([name]) => name.startsWith('worker-'))).toBe(true);
    expect(
      sizes.reduce((sum, [, bytes]) => sum + bytes, 0),
      JSON.stringify(sizes),
    ).toBeLessThan(MOST_BYTES);
  } finally {
    rmSync(outDir, { recursive: true });
  }
});
