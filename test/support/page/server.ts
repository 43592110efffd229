// server.ts: builds the benchmark's page and serves it to the browsers of a test.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, preview, type Plugin } from 'vite';
import { isolation } from '../../../src/node/isolation.ts';

/** The page, served. */
export interface PageServer {
  readonly address: string;
  /** Changes the text of every script on its way to the browser. */
  patch: ((text: string) => string) | undefined;
  close(): Promise<void>;
}

/** Builds the page into a folder of its own and serves it from there. */
export async function servePage(): Promise<PageServer> {
  const outDir = mkdtempSync(join(tmpdir(), 'gqa-page-'));
  await build({ build: { outDir, emptyOutDir: true }, logLevel: 'error' });
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
    patch: undefined,
    async close() {
      await server.close();
      rmSync(outDir, { recursive: true });
    },
  };
  return page;
}
