// docs.node.test.ts: the programs in docs/ run as they stand there, and print what their comments say.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { codeBlocks } from '../scripts/codeBlocks.ts';
import { ROOT } from '../scripts/resultFiles.ts';
import { ELEMENT_FORMATS, KV_TYPES, rowBytes } from '../src/numbers/elements.ts';
import { CHECKPOINTS, writeCheckpoint } from './support/checkpoints.ts';
import { MAX_BATCH, MAX_HEAD_DIM, MAX_HEADS, MAX_Q_LEN, MIN_HEAD_DIM } from '../src/kernels/shape.ts';

const page = readFileSync(join(ROOT, 'docs/limits-and-recipes.md'), 'utf8');
const library = readFileSync(join(ROOT, 'docs/library.md'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'gqa-docs-'));
symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));

afterEach(() => vi.restoreAllMocks());
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a program and returns the lines that it printed. */
async function printed(name: string, program: string): Promise<unknown[][]> {
  const file = join(folder, name);
  const local = program.replaceAll(/'gqa-webgpu(?:\/(\w+))?'/g, (_, entry = 'index') =>
    JSON.stringify(join(ROOT, `src/${entry}.ts`)),
  );
  writeFileSync(file, local);
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await import(/* @vite-ignore */ file);
  return log.mock.calls;
}

test('every path that ARCHITECTURE.md names is there, each walk of ten files at most, and the README is short', () => {
  const architecture = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
  const paths = [...architecture.matchAll(/`((?:src|shaders|bench|cli|page|scripts|test)\/[\w./]*)`/g)].map(
    ([, path]) => path!,
  );
  expect(paths.length).toBeGreaterThan(30);
  expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  const walks = architecture.split(/^## /m).map((part) => part.match(/^\d+\. /gm)?.length ?? 0);
  expect(walks.filter((files) => files > 0)).toHaveLength(3);
  expect(Math.max(...walks)).toBeLessThanOrEqual(10);
  expect(readFileSync(join(ROOT, 'README.md'), 'utf8').split('\n').length).toBeLessThan(200);
});

test('every block is of a language that is tried here', () => {
  const languages = new Set([...page.matchAll(/^```(\w+)$/gm)].map((match) => match[1]));
  expect(languages).toEqual(new Set(['ts', 'js', 'json']));
});

test('the recipes are one program', async () => {
  expect(await printed('recipes.ts', codeBlocks(page, 'ts').join('\n'))).toEqual([
    ['prefilled', [32, 32]],
    ['cascade', 41],
    ['ragged', [32, 23]],
    ['forked', [30, 20]],
    ['pages', 298],
    ['pages', 297],
    ['held', [15, 0]],
    ['held', [18, 2]],
    ['slots', [144, 144, 144, 144, 144, 8192]],
    ['restored', [30, 30]],
    ['packed', [3, 1]],
    ['turned', [1, 1]],
    ['windows', [16, 0]],
    ['decoded', [34, 4], 2 * 8 * 64],
  ]);
}, 180_000);

test('the library guide is one program, too', async () => {
  expect(await printed('library.ts', codeBlocks(library, 'ts').join('\n'))).toEqual([
    ['decoded', [3], 8 * 64],
  ]);
}, 120_000);

test('both have types', () => {
  for (const [name, text] of Object.entries({ page, library }))
    writeFileSync(join(folder, `${name}.typed.ts`), codeBlocks(text, 'ts').join('\n'));
  const paths = {
    'gqa-webgpu': [join(ROOT, 'src/index.ts')],
    'gqa-webgpu/node': [join(ROOT, 'src/node.ts')],
  };
  const options = {
    extends: join(ROOT, 'tsconfig.json'),
    compilerOptions: { paths },
    include: ['*.typed.ts'],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options));
  const tsc = join(ROOT, 'node_modules/@typescript/native/bin/tsc');
  const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
  expect([stdout, status]).toEqual(['', 0]);
}, 180_000);

test('the other entries', async () => {
  const [program] = codeBlocks(page, 'js');
  const [model, out] = [join(folder, 'llama'), join(folder, 'llama-gqa')];
  await writeCheckpoint(model, CHECKPOINTS.llama!);
  const here = program!
    .replace("'./llama'", JSON.stringify(model))
    .replace("'./llama-gqa'", JSON.stringify(out));
  expect(await printed('entries.mjs', here)).toEqual([
    ['bytes', 545259520],
    ['right', true],
    ['tuned devices', 0],
    ['converted', out, ['quality is lost until the result is trained further (uptraining)']],
  ]);
});

test("Dawn's globals, and what Next.js is told", async () => {
  const [, globals, next] = codeBlocks(page, 'js') as [string, string, string];
  expect(await printed('globals.mjs', globals)).toEqual([['usage', 0x80]]);
  writeFileSync(join(folder, 'next.config.mjs'), next);
  const config: unknown = await import(/* @vite-ignore */ join(folder, 'next.config.mjs'));
  expect(config).toMatchObject({ default: { serverExternalPackages: ['gqa-webgpu', 'webgpu'] } });
});

test('the compiler options are JSON', () => {
  const [options] = codeBlocks(page, 'json');
  expect(JSON.parse(options!)).toEqual({ compilerOptions: { types: ['@webgpu/types'] } });
});

test('the limits are those that are checked', () => {
  expect(page).toContain(
    `multiples of 8 from ${MIN_HEAD_DIM} to ${MAX_HEAD_DIM} (\`MIN_HEAD_DIM\`, \`MAX_HEAD_DIM\`)`,
  );
  expect(page).toContain(`Lq | 1 to ${MAX_Q_LEN} (\`MAX_Q_LEN\`)`);
  expect(page).toContain(`Hq | 1 to ${MAX_HEADS}, a multiple of Hkv`);
  expect(page).toContain(`B | 1 to ${MAX_BATCH} |`);
});

test('the cache types are those there are, with their bytes', () => {
  expect(Object.keys(ELEMENT_FORMATS)).toEqual(KV_TYPES);
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map(([, type, bytes]) => [
    type,
    Number(bytes),
  ]);
  expect(rows).toEqual(KV_TYPES.map((type) => [type, rowBytes(type, 128)]));
});
