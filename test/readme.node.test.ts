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
  vi.unstubAllGlobals();
  rmSync(folder, { recursive: true, force: true });
});

test('prints the first numbers of the output, and the length of the cache', async () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [, program] = /```ts\n(.*?)```/s.exec(readme)!;
  const file = join(folder, 'program.ts');
  const local = program!
    .replace("'gqa-webgpu'", JSON.stringify(join(ROOT, 'src/index.ts')))
    .replace("'gqa-webgpu/node'", JSON.stringify(join(ROOT, 'src/node.ts')))
    .replace('Math.random()', 'draw()');
  writeFileSync(file, local);
  const drawn: number[] = [];
  vi.stubGlobal('draw', () => {
    const x = Math.random();
    drawn.push(x - 0.5);
    return x;
  });
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await import(/* @vite-ignore */ file);
  const [numbers, kvLens] = log.mock.calls[0] as [Float32Array, number[]];
  expect(numbers).toHaveLength(4);
  // Every token has the same value, so attention gives it, as the cache's int8 holds it: within half a step, and what f16
  // does to the step itself.
  expect(drawn).toHaveLength((32 + 8 + 8) * 128);
  const row = drawn.slice((32 + 8) * 128, (32 + 8 + 1) * 128);
  const step = Math.max(...row.map(Math.abs)) / 127;
  for (const [i, x] of numbers.entries()) expect(Math.abs(x - row[i]!)).toBeLessThan(0.6 * step);
  expect(kvLens).toEqual([3]);
});
