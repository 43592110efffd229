// smoke.node.test.ts: the tiny training through this project.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { peerReport } from '../../../../bench/peers/report.ts';
import type { PeerResult } from '../../../../bench/schema/peerSchema.ts';
import { parsePeerResult } from '../../../../bench/schema/readResult.ts';

const START = fileURLToPath(new URL('../../../../bench/peers/start.mjs', import.meta.url));
// Not jax-js: the kernels that it makes take software adapters a minute to compile.
const WHO = ['--contestants', 'ours', '--adapter', 'swiftshader'];

const TIME_LIMIT = 120_000;

let result: PeerResult;

// In a process of its own: it makes Node look like a browser.
beforeAll(async () => {
  const args = [START, '--no-install', '--train', '--size', 'tiny', '--reps', '2', ...WHO, '-o', 'json'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26 });
  result = parsePeerResult(stdout, 'stdout');
}, TIME_LIMIT);

test('ours has the losses of float64 before and after it is timed', () => {
  const [row] = result.results;
  expect(result.results).toHaveLength(1);
  expect(row).toMatchObject({
    id: 'train_tiny',
    engine: 'ours',
    params: { heads: 4, batch: 16, depth: 32, model: { layers: 1, mlp: 64, vocab: 61 }, training: true },
    check: { before: { pass: true }, after: { pass: true } },
  });
  expect(row!.error).toBeUndefined();
  expect(row!.time!.samplesNs).toHaveLength(2);
});

test('the report names adapter, model and batch', () => {
  const text = peerReport(result);
  expect(text).toMatch(/^node .*SwiftShader.* SOFTWARE/m);
  expect(text).toContain('1 layers of 4 query heads of 8, MLP 64, vocabulary 61; a step takes 16 sequences');
  expect(text).toMatch(/\| size +\| place +\| contestant +\| ms\/step/);
});
