// resultFiles.node.test.ts: names of result files, and which files of a folder are results.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readResults, resultName } from '../../scripts/resultFiles.ts';
import { result, row, steady } from '../support/benchResult.ts';

const folder = mkdtempSync(join(tmpdir(), 'gqa-results-'));
afterAll(() => rmSync(folder, { recursive: true }));

const { adapter } = result([]).context;

test.each([
  [{ adapter: { ...adapter, device: 'nvidia-h100-80gb-hbm3' } }, 'nvidia-h100-80gb-hbm3'],
  [
    { adapter: { ...adapter, device: '', description: 'Intel(R) UHD Graphics 630 (CFL GT2)' } },
    'intel-r-uhd-graphics-630-cfl-gt2',
  ],
  [{ adapter: { ...adapter, device: '', description: '' } }, 'acme-one'],
  [{ adapter: { ...adapter, device: 'llvmpipe-llvm-15-0-6-256-bits-', software: true } }, 'llvmpipe-2core'],
  [
    { adapter: { ...adapter, device: '', description: 'SwiftShader driver', software: true } },
    'swiftshader-2core',
  ],
  [{ label: "Ada's desk, 2nd" }, 'ada-s-desk-2nd'],
  [{ label: '../../etc' }, 'etc'],
])('%o', (more, name) => {
  expect(resultName(result([], more), 2)).toBe(name);
});

test('results are read in the order of their names; other files are none', () => {
  const good = result([row(8, 1024, steady(100))]);
  const write = (name: string, content: object) => writeFileSync(join(folder, name), JSON.stringify(content));
  write('b.json', good);
  write('a.json', { ...good, context: { ...good.context, seed: 7 } });
  write('peers.json', { ...good, schema: 'gqa-peers/1' });
  write('b.length.svg', {});
  expect(readResults(folder).map(({ name, result: { context } }) => [name, context.seed])).toEqual([
    ['a', 7],
    ['b', 42],
  ]);
  write('c.json', { ...good, suite: '0' });
  expect(() => readResults(folder)).toThrow('c.json: suite: expected');
});
