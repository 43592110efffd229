// Tests: the project `node` runs on Dawn, the project `browser` in headless Chromium; both run the same files. Run by Deno,
// the project `deno`, on Deno's own WebGPU, is all there is.
import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { CHROMIUM_ARGS, findChromium } from './src/node/chromium.ts';
import { isolation } from './src/node/isolation.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// Node and the browser side by side. A process computes references and compiles shaders in turn, so that it takes one core;
// Node's two keep both cores of a small machine busy when the browser is done. Vitest wants one number for all of a group.
const AT_ONCE = { sequence: { groupOrder: 1 }, maxWorkers: 2 };

/** The package's name, as examples import it, is the source here. */
const OWN_NAME = [
  { find: /^gqa-webgpu$/, replacement: here('src/index.ts') },
  { find: /^gqa-webgpu\/(.*)$/, replacement: here('src/$1.ts') },
];

const SAME_BYTES = here('test/support/sameBytes.ts');

// Processes that last for many files: a thread that ends during a dispatch would take the run with it. Each file goes to
// the one that is free.
const node: TestProjectInlineConfiguration = {
  extends: true,
  resolve: { alias: { '#gpu': here('test/support/gpu.node.ts') } },
  test: {
    name: 'node',
    include: ['test/**/*.test.ts'],
    exclude: ['**/*.browser.test.ts', 'test/deno/**'],
    pool: 'forks',
    isolate: false,
    // No file: what was tuned on this machine decides no test.
    // A small cache: no test is about times, and caches beyond a large one take seconds to fill.
    env: { GQA_TUNING: here('node_modules/.vite/no-tuning.json'), GQA_LLC_MIB: '1' },
    globalSetup: here('test/support/runFolder.ts'),
    setupFiles: [SAME_BYTES, here('test/support/dawnPolling.ts')],
    ...AT_ONCE,
  },
};

// The kernel cases, and what naga says of every shader. How errors are worded, and when they come, is Dawn's.
const deno: TestProjectInlineConfiguration = {
  ...node,
  test: {
    ...node.test,
    name: 'deno',
    include: [
      'test/deno/*.test.ts',
      'test/kernels/{decodeExact,decodeMerge,plain*}.test.ts',
      'test/decode/exact.test.ts',
    ],
    exclude: [],
    setupFiles: SAME_BYTES,
    maxWorkers: 1,
  },
};

async function browser(): Promise<TestProjectInlineConfiguration> {
  // Here, so that the node project runs where Playwright is not installed.
  const { playwright } = await import('@vitest/browser-playwright');
  const { executablePath, env } = await findChromium();
  return {
    extends: true,
    resolve: { alias: [{ find: '#gpu', replacement: here('test/support/gpu.browser.ts') }, ...OWN_NAME] },
    // Found while tests run, they would have the page loaded anew, and the test that needed them fail.
    optimizeDeps: { include: ['jsonc-parser', 'ml-matrix'], exclude: ['webgpu'] },
    test: {
      name: 'browser',
      include: ['test/**/*.test.ts'],
      // Node alone converts checkpoints and runs scripts. Kernels in all their variants are the same text on the same compiler in
      // both: here some of them run, within steps, appends and checks.
      exclude: [
        '**/*.node.test.ts',
        'test/checkpoint/**',
        'test/deno/**',
        'test/kernels/**',
        'test/decode/{features,headDims,lengths,nan,overflow,prefill,rows,shapes,variants}.test.ts',
        'test/properties.test.ts',
        'test/cache/{headSegments,paged,rope}.test.ts',
        'test/bench/{run,tune}/**',
        'test/train/{teacher,trainer,trainerArguments}.test.ts',
        'test/scripts/**',
      ],
      setupFiles: SAME_BYTES,
      ...AT_ONCE,
      browser: {
        // One page: a second would share the browser's one GPU process.
        fileParallelism: false,
        enabled: true,
        headless: true,
        screenshotFailures: false,
        provider: playwright({
          launchOptions: { executablePath, env, args: CHROMIUM_ARGS },
          contextOptions: { locale: 'en-US' },
        }),
        instances: [{ browser: 'chromium' }],
      },
    },
  };
}

// With `--project node` alone no browser need be on the machine.
const nodeOnly =
  /--project[ =]node\b/.test(process.argv.join(' ')) &&
  !/--project[ =]browser\b/.test(process.argv.join(' '));

export default defineConfig({
  server: { headers: isolation },
  test: {
    // Both projects, and in .ci/run two legs, share the cores of a small machine.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    projects: process.versions.deno ? [deno] : nodeOnly ? [node] : [node, await browser()],
  },
});
