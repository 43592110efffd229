// readme.node.test.ts: the program in the README runs as it stands there.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'gqa-readme-'));

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

test('prints four numbers of the output and the length of the cache', async () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [, program] = /```ts\n(.*?)```/s.exec(readme)!;
  const file = join(folder, 'program.ts');
  const local = program!
    .replace("'gqa-webgpu'", JSON.stringify(join(ROOT, 'src/index.ts')))
    .replace("'gqa-webgpu/node'", JSON.stringify(join(ROOT, 'src/node.ts')));
  writeFileSync(file, local);
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await import(/* @vite-ignore */ file);
  const [numbers, kvLens] = log.mock.calls[0] as [Float32Array, number[]];
  expect(numbers).toHaveLength(4);
  expect(numbers.every((x) => Math.abs(x) <= 0.5 && x !== 0)).toBe(true);
  expect(kvLens).toEqual([3]);
});
