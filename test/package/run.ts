// run.ts: `npm run test:package`: packs a clean clone, installs it into a fresh project, and uses it as people do.
//
// Tests the last commit. Needs npm's registry, or a full cache, once for its tools. Exit code 1 when anything fails.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { ENTRIES } from '../../scripts/entries.ts';
import { messageOf } from '../../src/device/errors.ts';
import { CHECKPOINTS, writeCheckpoint } from '../support/checkpoints.ts';
import { addExamples, checkExample, EXAMPLES, fileOf, IN_BUN, IN_DENO } from './examples.ts';
import { checkPrinted, example, inFunction, withGpu } from './programs.ts';
import {
  cloneHere,
  denoBinary,
  install,
  installTools,
  link,
  node,
  pack,
  run,
  runWith,
  tool,
} from './project.ts';

const work = mkdtempSync(join(tmpdir(), 'gqa-package-'));
const project = join(work, 'project');
const clone = join(work, 'clone');

/** Thrown by a step that this machine cannot take; the reason is printed. */
class Skipped extends Error {}

async function step(what: string, body: () => unknown): Promise<void> {
  const start = performance.now();
  let outcome = 'ok   ';
  let why = '';
  try {
    await body();
  } catch (error) {
    const skipped = error instanceof Skipped;
    outcome = skipped ? 'skip ' : 'FAIL ';
    why = `: ${messageOf(error)}`;
    if (!skipped) process.exitCode = 1;
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  process.stdout.write(`${outcome} ${what} (${seconds} s)${why}\n`);
}

function needed(file: string | undefined): string {
  if (file === undefined) throw new Skipped('it is not installed: there is none for this machine');
  return file;
}

const WANTED = [
  'bin/gqa.mjs',
  ...[...ENTRIES.keys()].flatMap((entry) => [`dist/${entry}.js`, `dist/types/${entry}.d.ts`]),
  'dist/cli.js',
  'dist/copyWorker.js',
  'dist/hashWorker.js',
  'dist/types/device/webgpu.d.ts',
  'dist/THIRD_PARTY_LICENSES.txt',
  'dist/page/index.html',
  'dist/page/headless/index.html',
  'dist/page/THIRD_PARTY_LICENSES.txt',
  'docs/limits-and-recipes.md',
  'models/stories/model.safetensors',
  'LICENSE',
  'README.md',
];

function packAndInstall(): void {
  cloneHere(clone);
  const { tarball, files } = pack(clone, join(work, 'packed'));
  const missing = WANTED.filter((file) => !files.includes(file));
  if (missing.length > 0) throw new Error(`the package lacks ${missing.join(', ')}`);
  const strange = files.filter(
    (file) => !/^(bin|dist|docs|models)\/|^[A-Z]+(\.md)?$|^package\.json$/.test(file),
  );
  if (strange.length > 0) throw new Error(`the package has ${strange.join(', ')}`);
  install(project, '--offline', tarball);
  // What a project for Node adds: Dawn, the software adapter for machines without a GPU, Node's types.
  for (const name of ['webgpu', '@sparticuz/chromium', '@types/node']) link(project, name);
}

const COMPILERS = {
  'TypeScript 5.9': [() => needed(tool('typescript/lib/tsc.js'))],
  'TypeScript 7': [
    () => join(project, '../clone/node_modules/@typescript/native/lib/tsc.js'),
    '--ignoreConfig',
  ],
} as const;

/** Takes something of each entry: what a program gets and what its types say. */
const ALL_ENTRIES = `
import { openDevice } from 'gqa-webgpu';
import { SafetensorsFile } from 'gqa-webgpu/checkpoint';
import { findPreset } from 'gqa-webgpu/models';
import { nodeGpu } from 'gqa-webgpu/node';
import { expect64, randomProblem } from 'gqa-webgpu/reference';
import { Tuning } from 'gqa-webgpu/tuning';
const layers: number = findPreset('llama-3.1-8b').layers;
const bound: number = expect64(randomProblem({ numQHeads: 2, numKvHeads: 1, headDim: 64, kvLens: [3] })).bound;
console.log(layers, bound > 0, Tuning.none.schema, [openDevice, SafetensorsFile.open, nodeGpu].every((f) => typeof f === 'function'));
`;

function typeCheck(
  compiler: keyof typeof COMPILERS,
  files: readonly string[],
  module: readonly string[],
  lib: string,
): void {
  const [path, ...more] = COMPILERS[compiler];
  const flags = ['--strict', '--noEmit', '--target', 'es2022', '--lib', lib, '--types', 'node', ...more];
  node(project, path(), ...files, ...flags, ...module);
}

/** Bundles a program with esbuild; `--format=cjs` and other options after it. */
function esbuild(program: string, outfile: string, ...options: string[]): void {
  const flags = ['--bundle', '--platform=node', `--outfile=${outfile}`, ...options];
  run(project, needed(tool('esbuild/bin/esbuild')), program, ...flags);
}

async function viteBundle(entry: string, ssr: boolean): Promise<string> {
  const outDir = join(project, ssr ? 'vite-node' : 'vite-page');
  await build({
    configFile: false,
    root: project,
    logLevel: 'error',
    // `noExternal`, or Vite would leave the library where it is.
    ...(ssr && { ssr: { noExternal: ['gqa-webgpu'] } }),
    build: ssr
      ? { ssr: entry, outDir, minify: true, target: 'es2022' }
      : { outDir, target: 'es2022', lib: { entry, formats: ['es'], fileName: 'page' } },
  });
  return outDir;
}

async function main(): Promise<void> {
  await step('tools: TypeScript 5.9, esbuild, Deno, Bun, onnxruntime-web', installTools);
  await step('a clean clone packs the whole package, and it installs', packAndInstall);
  writeFileSync(join(project, 'example.ts'), example());
  writeFileSync(join(project, 'function.ts'), inFunction(example()));
  writeFileSync(join(project, 'entries.ts'), ALL_ENTRIES);
  await step('a project has the examples', () => addExamples(project));
  await typeChecks();
  await bundles();
  await runtimes();
  await step('the command of the installed package', () => {
    run(project, 'npx', '--no-install', 'gqa', 'kv', 'llama-3.1-8b');
    run(project, 'npx', '--no-install', 'gqa', 'doctor');
  });
  await step('the installed command runs in a browser, on the page of the package', () => {
    const row = ['--heads', '2', '--kv-heads', '1', '--head-dim', '64', '-d', '64', '-r', '1'];
    run(project, 'npx', '--no-install', 'gqa', 'bench', '--runtime', 'chrome', ...row);
  });
  await step('the installed command converts, in threads of the package', async () => {
    await writeCheckpoint(join(project, 'mha'), CHECKPOINTS['llama']!);
    run(project, 'npx', '--no-install', 'gqa', 'convert', 'mha', '--kv-heads', '2', '--out', 'gqa', '--hash');
  });
  await step('an install from git builds the package', () => {
    const other = join(work, 'from-git');
    install(other, '--prefer-offline', `git+file://${clone}`);
    node(
      other,
      '--input-type=module',
      '--eval',
      "if (!(await import('gqa-webgpu')).openDevice) process.exit(1)",
    );
  });
}

/** Every two of compiler, resolution and libraries together. */
const TYPE_CHECKS = [
  ['TypeScript 5.9', 'bundler', 'es2022,dom'],
  ['TypeScript 5.9', 'nodenext', 'es2020'],
  ['TypeScript 7', 'bundler', 'es2020'],
  ['TypeScript 7', 'nodenext', 'es2022,dom'],
] as const;

async function typeChecks(): Promise<void> {
  for (const [compiler, resolution, lib] of TYPE_CHECKS) {
    const module =
      resolution === 'bundler'
        ? ['--module', 'esnext', '--moduleResolution', 'bundler']
        : ['--module', 'nodenext'];
    await step(`${compiler}, ${resolution}, ${lib}`, () =>
      typeCheck(compiler, ['example.ts', 'entries.ts'], module, lib),
    );
  }
  await step('TypeScript 7, the examples', () => {
    const module = ['--module', 'nodenext', '--allowJs', '--checkJs', '--skipLibCheck'];
    typeCheck('TypeScript 7', EXAMPLES.map(fileOf), module, 'es2023,dom');
  });
}

async function bundles(): Promise<void> {
  await step('Node, transpiled only', () => {
    run(project, needed(tool('esbuild/bin/esbuild')), 'example.ts', '--format=esm', '--outfile=plain.mjs');
    checkPrinted(node(project, 'plain.mjs'));
  });
  await step('Node, all entries', () => {
    run(project, needed(tool('esbuild/bin/esbuild')), 'entries.ts', '--format=esm', '--outfile=entries.mjs');
    const printed = node(project, 'entries.mjs');
    if (printed !== '32 true gqa-tuning/1 true\n')
      throw new Error(`expected 32 true gqa-tuning/1 true, got ${printed}`);
  });
  await step('Node, require()', () => {
    node(
      project,
      '--input-type=commonjs',
      '--eval',
      "require('gqa-webgpu').openDevice.name || process.exit(1)",
    );
  });
  await step('Node, a CommonJS bundle, minified by esbuild', () => {
    esbuild('function.ts', 'bundle.cjs', '--format=cjs', '--minify');
    checkPrinted(node(project, 'bundle.cjs'));
  });
  await step('Node, modules bundled and minified by Vite', async () => {
    const outDir = await viteBundle('example.ts', true);
    checkPrinted(node(project, join(outDir, 'example.js')));
  });
  await step('a page, bundled by Vite: nothing of Node in it', async () => {
    writeFileSync(join(project, 'page.ts'), withGpu(example(), 'navigator.gpu'));
    const bundle = readFileSync(join(await viteBundle('page.ts', false), 'page.js'), 'utf8');
    if (/\bnode:|\bprocess\.|from ?["']webgpu/.test(bundle))
      throw new Error('the bundle has something of Node');
  });
}

/** Runs a program in another runtime; on a machine where that runtime has no adapter, the step is skipped. */
function inRuntime(body: () => void): void {
  try {
    body();
  } catch (error) {
    if (/NoAdapterError: .* no WebGPU adapter/.test(messageOf(error)))
      throw new Skipped('no adapter for it on this machine');
    throw error;
  }
}

async function runtimes(): Promise<void> {
  const bun = () => needed(tool('@oven/bun-linux-x64/bin/bun'));
  const deno = () => needed(denoBinary());
  await step('Deno, on its own WebGPU', () => {
    const args = ['run', '--no-check', '--unstable-webgpu', 'example.ts'];
    inRuntime(() => checkPrinted(run(project, deno(), ...args)));
  });
  await step('Bun, on Dawn', () => inRuntime(() => checkPrinted(run(project, bun(), 'example.ts'))));
  await step('the command in Bun says so', () => {
    const [head = ''] = run(project, bun(), 'node_modules/gqa-webgpu/dist/cli.js', 'doctor').split('\n');
    if (!/^ok +webgpu \S+ \(Dawn\), bun \d/.test(head))
      throw new Error(`expected Dawn and bun, got: ${head}`);
  });
  for (const each of IN_DENO) {
    const args = ['run', '-A', fileOf(each)];
    await step(`Deno, ${fileOf(each)}`, () => {
      inRuntime(() => checkExample(each, run(project, deno(), ...args)));
    });
  }
  // On the embedded adapter, which Bun has to be led to: an error where another one is opened.
  const embedded = { GQA_ADAPTER: 'swiftshader' };
  for (const each of IN_BUN) {
    await step(`Bun, ${fileOf(each)}, on the embedded adapter`, () => {
      checkExample(each, runWith(embedded, project, bun(), fileOf(each)));
    });
  }
}

try {
  await main();
} finally {
  rmSync(work, { recursive: true, force: true });
}
