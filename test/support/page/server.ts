// server.ts: builds the benchmark's page and serves it to the browsers of a test.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, preview, type Plugin } from 'vite';
import { isolation } from '../../../src/node/isolation.ts';

/** The page, served. */
export interface PageServer {
  readonly address: string;
  /** Where the built page lies. */
  readonly folder: string;
  /** Changes the text of every script on its way to the browser. */
  patch: ((text: string) => string) | undefined;
  close(): Promise<void>;
}

/**
 * A page cannot know how large the cache of the CPU behind a software adapter is, and reads copies past 64 MiB in turn. Here
 * they are as few as GQA_LLC_MIB makes them for the command: no test is about times.
 */
const SMALL_CACHE: Plugin = {
  name: 'small-cache',
  enforce: 'pre',
  transform(code, id) {
    if (!id.endsWith('/bench/run/coldCaches.ts')) return;
    const changed = code.replace('(software ? 64 : 256) * MIB', '(software ? 8 : 256) * MIB');
    if (changed === code) throw new Error('coldCaches.ts: no size to make smaller');
    return changed;
  },
};

/** Builds the page into a folder of its own and serves it from there. */
export async function servePage(): Promise<PageServer> {
  const outDir = mkdtempSync(join(tmpdir(), 'gqa-page-'));
  await build({
    build: { outDir, emptyOutDir: true },
    worker: { plugins: () => [SMALL_CACHE] },
    logLevel: 'error',
  });
  const patching: Plugin = {
    name: 'patch',
    configurePreviewServer: ({ middlewares }) => {
      middlewares.use((request, response, next) => {
        if (!page.patch || !/^\/assets\/[\w-]+\.js$/.test(request.url ?? '')) return next();
        response.writeHead(200, {
          ...isolation,
          'Content-Type': 'text/javascript',
          'Cache-Control': 'no-store',
        });
        response.end(page.patch(readFileSync(join(outDir, request.url!), 'utf8')));
      });
    },
  };
  const server = await preview({
    build: { outDir },
    preview: { host: '127.0.0.1', port: 0 },
    plugins: [patching],
    logLevel: 'error',
  });
  const page: PageServer = {
    address: server.resolvedUrls!.local[0]!,
    folder: outDir,
    patch: undefined,
    async close() {
      await server.close();
      rmSync(outDir, { recursive: true });
    },
  };
  return page;
}
