// Two outputs from one config: `--mode lib` builds the library and the CLI, the default mode builds the page.
import { defineConfig, type Plugin, type UserConfig } from 'vite';
import { isolation } from './src/node/isolation.ts';
import { ENTRIES } from './scripts/entries.ts';
import { guideServer } from './scripts/guide/devServer.ts';
import { thirdPartyLicences, workerPackages } from './scripts/thirdParty.ts';

/** dist/node.js from src/node.ts, and so on. */
function packageEntries(): Record<string, string> {
  return Object.fromEntries([...ENTRIES.keys()].map((name) => [name, `src/${name}.ts`]));
}

/** Nothing from elsewhere, no script or style that stands in the page; Vite's own server needs both, so only what is built has it. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

const strictPage: Plugin = {
  name: 'content-security-policy',
  apply: 'build',
  transformIndexHtml: () => [
    {
      tag: 'meta',
      attrs: { 'http-equiv': 'Content-Security-Policy', content: CONTENT_SECURITY_POLICY },
      injectTo: 'head-prepend',
    },
  ],
};

const inWorkers = new Set<string>();

const page: UserConfig = {
  root: 'page',
  base: './',
  publicDir: false,
  plugins: [thirdPartyLicences(inWorkers), strictPage, guideServer()],
  server: { headers: isolation, fs: { allow: ['..'] } },
  preview: { headers: isolation },
  // Modules, so that a worker can load a library when it is needed.
  worker: { format: 'es', plugins: () => [workerPackages(inWorkers)] },
  build: {
    outDir: '../dist/page',
    emptyOutDir: true,
    target: 'es2023',
    rolldownOptions: { input: ['page/index.html', 'page/headless/index.html'] },
  },
};

// Threads run files of their own, which they find beside the bundle.
const disk = 'src/checkpoint/convert/disk';
const workers = { copyWorker: `${disk}/copyWorker.js`, hashWorker: `${disk}/hashWorker.js` };

const lib: UserConfig = {
  publicDir: false,
  plugins: [thirdPartyLicences()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2023',
    minify: false,
    sourcemap: true,
    lib: {
      entry: { ...packageEntries(), cli: 'cli/run.ts', ...workers },
      formats: ['es'],
    },
    // 'node' for commander, which is CommonJS and requires node: modules; the library's own entry imports none.
    rolldownOptions: { external: [/^node:/, 'webgpu'], platform: 'node' },
  },
};

export default defineConfig(({ mode }) => (mode === 'lib' ? lib : page));
