// fakeBrowser.ts: a program that stands in for a browser: it is started as one, and plays the page that it was to open.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the plays begin with: `say` and `listen` are the page's two requests; the end of the pipe ends it, as a browser. */
const PRELUDE = `
const { appendFileSync } = require('node:fs');
const { Socket } = require('node:net');
new Socket({ fd: 3 }).on('close', () => process.exit()).resume();
const address = new URL(process.argv.at(-1));
const ask = (path, body, options) =>
  fetch(new URL('/run/' + address.hash.slice(1) + path, address), { method: 'POST', body, ...options });
const say = async (message) => (await ask('/say', JSON.stringify(message))).text();
const listen = (options) => ask('/stop', '', options);
const ready = { type: 'ready', adapterName: 'Acme', software: false, runtime: { kind: 'chrome', version: '1.2' }, crossOriginIsolated: true };
`;

/** A program to be named in CHROME_PATH. */
export interface FakeBrowser {
  readonly path: string;
  remove(): void;
}

/** Writes one that runs these lines, which may await. */
export function fakeBrowser(play: string): FakeBrowser {
  const folder = mkdtempSync(join(tmpdir(), 'gqa-fake-'));
  const path = join(folder, 'browser');
  const program = `#!${process.execPath}\n${PRELUDE}\n(async () => {\n${play}\n})();\n`;
  writeFileSync(path, program, { mode: 0o755 });
  return { path, remove: () => rmSync(folder, { recursive: true }) };
}
