// benchFigures.node.test.ts: what `gqa bench` says of a run with little to go by: no MHA row, one sample, a bad tuning.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { checkShape } from '../../src/index.ts';
import { deviceKey, NO_TUNING, shapeClass, withEntry } from '../../src/decode/tuning.ts';
import { testDevice } from '../support/device.ts';
import { gqaMain } from '../support/gqaMain.ts';

const folder = mkdtempSync(join(tmpdir(), 'gqa-figures-'));

afterAll(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
  process.exitCode = undefined;
});

test('no ratio without its base, no interval of one sample, and a tuning entry that cannot be is named', async () => {
  const { gpu } = await testDevice();
  const file = join(folder, 'tuning.json');
  const shape = checkShape({ numQHeads: 8, numKvHeads: 1, headDim: 64 });
  const name = shapeClass(shape, { kType: 'f16', vType: 'f16' });
  const variant = { template: 'tiles', wgSize: 16, tile: 7777, rowBlock: 8, mixWords: 1 } as const;
  writeFileSync(
    file,
    JSON.stringify(withEntry(NO_TUNING, deviceKey(gpu.adapterInfo), name, { variant, slots: 3 })),
  );
  vi.stubEnv('GQA_TUNING', file);
  const args = ['--heads', '8', '--kv-heads', '2,1', '--head-dim', '64', '-d', '64', '-r', '1'];
  const { out, code } = await gqaMain('bench', ...args);
  const cells = out
    .split('\n')
    .filter((line) => line.startsWith('| custom'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  expect(cells.map((line) => line[11])).toEqual(['—', '—']);
  for (const line of cells) expect(line[8]).toMatch(/^[\d.]+$/);
  expect(out).toContain('note     no speed-up @ d64: it is against the mha row, and this run has none.');
  expect(out).toContain('a time alone is a single sample');
  expect(out).not.toContain('±');
  expect(out).toContain(`warning  ${file}: entry ${name} of "`);
  expect(out).toContain('got 7777');
  expect(code).toBeUndefined();
});
