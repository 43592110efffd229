// benchChrome.node.test.ts: `gqa bench --runtime chrome`: the rows of Node's run in a real headless Chromium, and what cannot hold there.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Ready } from '../../bench/chrome/protocol.ts';
import { ofThisSuite, parseResult } from '../../bench/schema/readResult.ts';
import { version } from '../../package.json';
import type { BenchFlags } from '../../cli/bench/benchFlags.ts';
import { browserHost } from '../../cli/bench/browserHost.ts';
import { gqaMain } from '../support/gqaMain.ts';
import { interruptAt } from '../support/interruptAt.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gqa-chrome-test-'));
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const resultIn = (file: string) => ofThisSuite(parseResult(readFileSync(file, 'utf8'), file), file);

const ROWS = ['bench', '--heads', '2', '--kv-heads', '2,1', '--head-dim', '64', '--label', 'here', '-r', '6'];

test('the rows of Node in Chromium: same schema, compared with each other; Ctrl-C keeps what is finished', async () => {
  const [chrome, node] = [join(folder, 'chrome.json'), join(folder, 'node.json')];
  interruptAt('preparing mqa @ d96');
  const args = [...ROWS, '-d', '64,96', '--runtime', 'chrome', '-o', 'csv', '--export-json', chrome];
  const { out, err, code } = await gqaMain(...args);
  expect(err).toMatch(/^warning {2}"SwiftShader [^"]*" is a software adapter: /m);
  expect(err).toMatch(/^0 %, preparing mha @ d64$/m);
  expect(code).toBe(130);
  expect(out.match(/^h2_kv[21]_d64_t64_f16,/gm)).toHaveLength(2);

  const { context, results } = resultIn(chrome);
  expect(context).toMatchObject({
    tool: { version },
    runtime: { kind: 'chrome', version: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/) },
    adapter: { software: true },
    crossOriginIsolated: true,
    label: 'here',
    lastLevelCacheBytes: Number(process.env.GQA_LLC_MIB) * 2 ** 20,
    partial: { code: 'interrupted', reason: 'interrupted (SIGINT)', rows: 4 },
  });
  expect(Object.keys(context.nonStandard)).toEqual(['heads', 'kv-heads', 'head-dim', 'depth', 'reps']);
  expect(results.map(({ id, check, time }) => [id, check?.pass, time?.samplesNs.length])).toEqual([
    ['h2_kv2_d64_t64_f16', true, 6],
    ['h2_kv1_d64_t64_f16', true, 6],
  ]);

  await gqaMain(...ROWS, '-d', '64', '--adapter', 'swiftshader', '--export-json', node);
  expect(resultIn(node).results.map(({ id }) => id)).toEqual(results.map(({ id }) => id));
  const compared = await gqaMain('compare', node, chrome);
  expect(compared.code ?? 0).toBe(0);
  expect(compared.out).toMatch(/^differs {2}runtime \(node \S+ \/ chrome \S+\)/m);
  for (const { id } of results) expect(compared.out).toContain(`| ${id} |`);
});

describe('the adapter of the browser', () => {
  const ready: Ready = {
    type: 'ready',
    adapterName: 'SwiftShader',
    software: true,
    runtime: { kind: 'edge', version: '150.0.1.2' },
    crossOriginIsolated: true,
  };
  const flags = { requireGpu: true } as BenchFlags;

  test('is refused as software where a GPU is required, and only there', () => {
    expect(() => browserHost(ready, flags, () => {})).toThrow(
      '--require-gpu: expected a GPU, but "SwiftShader" of the browser is a software adapter.',
    );
    const said: string[] = [];
    const host = browserHost({ ...ready, software: false }, flags, (line) => said.push(line));
    expect(said).toEqual([]);
    expect(host).toMatchObject({ software: false, context: { version, runtime: ready.runtime } });
  });

  test('is not that of GQA_ADAPTER, which is said', () => {
    vi.stubEnv('GQA_ADAPTER', 'llvmpipe');
    const said: string[] = [];
    browserHost({ ...ready, software: false }, flags, (line) => said.push(line));
    expect(said).toEqual(['note     GQA_ADAPTER is not heeded: a browser takes its adapter itself']);
  });
});

test.each([
  [
    ['--adapter', 'llvmpipe'],
    /^error: --adapter: expected --runtime node with it: a browser takes its adapter itself$/m,
  ],
  [['--whole', 'smollm2-135m'], /^error: --whole: expected --runtime node with it: /m],
  [['--method', 'mean'], /^error: --method: expected --whole beside it/m],
  [['--kv-heads', '3'], /^error: bench: heads \(32\) must be a multiple of kv-heads \(3\)$/m],
])('%j is refused before a browser is started', async (options, message) => {
  vi.stubEnv('CHROME_PATH', '/nowhere');
  const { err, code } = await gqaMain('bench', '--runtime', 'chrome', ...options);
  expect(err).toMatch(message);
  expect(code).toBe(1);
});

test('without a browser: exit code 3', async () => {
  vi.stubEnv('CHROME_PATH', '/nowhere');
  const { err, code } = await gqaMain(...ROWS, '-d', '64', '--runtime', 'chrome');
  expect(err).toMatch(/^error: \/nowhere does not start: .*\nFix: set CHROME_PATH to /m);
  expect(code).toBe(3);
});
