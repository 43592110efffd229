// smoke.node.test.ts: a tiny Llama with grouped heads through this project and, where they are installed, onnxruntime and llama.cpp on the CPU.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { peerVersion } from '../../../../bench/peers/context.ts';
import { peerReport } from '../../../../bench/peers/report.ts';
import type { PeerResult } from '../../../../bench/schema/peerSchema.ts';
import { parsePeerResult } from '../../../../bench/schema/readResult.ts';

const START = fileURLToPath(new URL('../../../../bench/peers/start.mjs', import.meta.url));
const WHO = ['--contestants', 'ours@node,ort-cpu,llama.cpp-cpu', '--adapter', 'swiftshader'];
const TINY = ['--whole', '--quick', '--kv-heads', '2', '--types', 'f32', '-d', '4', '--reps', '2'];

const TIME_LIMIT = 120_000;

let result: PeerResult;

// In a process of its own: it makes Node look like a browser.
beforeAll(async () => {
  const args = [START, '--no-install', ...TINY, ...WHO, '-o', 'json'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26 });
  result = parsePeerResult(stdout, 'stdout');
}, TIME_LIMIT);

const rowOf = (engine: string) => result.results.find((row) => row.engine === engine)!;

const RIGHT = { check: { before: { pass: true }, after: { pass: true } } };

test('ours agrees with float64 before and after it is timed', () => {
  const row = rowOf('ours');
  expect(row).toMatchObject({
    id: 'llama_h4_kv2_d64_t4_f32',
    params: { kvHeads: 2, depth: 4, model: { layers: 2, mlp: 512, vocab: 1000 } },
    ...RIGHT,
  });
  expect(row.error).toBeUndefined();
  expect(row.time!.samplesNs).toHaveLength(2);
});

const PEERS = [
  ['ort-cpu', 'onnxruntime-node'],
  ['llama.cpp-cpu', 'node-llama-cpp'],
] as const;

for (const [engine, name] of PEERS) {
  test.skipIf(peerVersion(name) === undefined)(`so does ${engine}`, () => {
    const row = rowOf(engine);
    expect(row.error).toBeUndefined();
    expect(row).toMatchObject(RIGHT);
    expect(row.time).not.toBeNull();
  });

  test.runIf(peerVersion(name) === undefined)(`${engine} is not installed: its row says so`, () => {
    expect(rowOf(engine)).toMatchObject({ time: null, error: `${name} is not installed in bench/peers` });
  });
}

test('the bytes of a step are those of its weights but the embedding, and of K and V', () => {
  const [hidden, kv] = [256, 128];
  const layer = hidden * (2 * hidden + 2 * kv + 3 * 512 + 2);
  expect(rowOf('ours').bytes).toEqual({
    weights: 4 * (2 * layer + hidden + 1000 * hidden),
    kvRead: 2 * 2 * 4 * kv * 4,
  });
});

test('the report names adapter and model, and has tokens per second', () => {
  const text = peerReport(result);
  expect(text).toMatch(/^node .*SwiftShader.* SOFTWARE/m);
  expect(text).toContain('2 layers of 4 query heads of 64, MLP 512, vocabulary 1000');
  expect(text).toMatch(/\| Hkv +\| type +\| tokens +\| place .*\| +tokens\/s \|/);
});
