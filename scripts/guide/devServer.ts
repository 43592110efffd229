// devServer.ts: a plugin of `npm run dev`: the guide beside the page, from the Markdown as it stands, without the API reference.
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

/** Serves guide/; a page whose links lead nowhere, with the error. */
export function guideServer(): Plugin {
  return {
    name: 'guide',
    configureServer(server) {
      const load = (name: string) => server.ssrLoadModule(fileURLToPath(new URL(name, import.meta.url)));
      const read = async (path: string) => {
        const { site } = (await load('./site.ts')) as typeof import('./site.ts');
        const { writtenPages } = (await load('./pages.ts')) as typeof import('./pages.ts');
        return site(writtenPages()).get(path);
      };
      server.middlewares.use('/guide', (request, response, next) => {
        const path = new URL(request.url ?? '', 'http://localhost').pathname.slice(1) || 'index.html';
        read(path).then((content) => {
          if (content === undefined) return next();
          response.setHeader('Content-Type', `${TYPES[extname(path)]}; charset=utf-8`);
          response.end(content);
        }, next);
      });
    },
  };
}
