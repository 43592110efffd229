// compare.node.test.ts: `gqa compare` as a command: files in, report out, exit codes, refusals.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import type { BenchResult } from '../../bench/schema/schema.ts';
import { SUITE } from '../../bench/schema/version.ts';
import { noisy, result, row, steady, WRONG } from '../support/benchResult.ts';
import { gqaMain } from '../support/gqaMain.ts';
import { wholeResultOf, wholeRow } from '../support/wholeResult.ts';

const folder = mkdtempSync(join(tmpdir(), 'gqa-compare-'));

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | object): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const compare = (...args: string[]) => gqaMain('compare', ...args);

const mha = row(32, 1024, steady(2000));
const base = file('base.json', result([mha, row(8, 1024, steady(500))]));
const slower = file('slower.json', result([mha, row(8, 1024, steady(515))]));
const wrong = file('wrong.json', result([mha, row(8, 1024, [1], WRONG)]));
const other = file('other.json', result([row(1, 1024, steady(100))]));
const old = file('old.json', { ...result([mha]), suite: '1' });

const whole = file('whole.json', wholeResultOf([wholeRow(steady(2e6))]));
const slowWhole = file('slow-whole.json', wholeResultOf([wholeRow(steady(3e6))]));

/** The page's result: no commit, no package, a masked adapter. */
const page: BenchResult = (() => {
  const of = result([mha], { runtime: { kind: 'chrome', version: '147.0' }, crossOriginIsolated: true });
  const { tool, adapter } = of.context;
  const { commit: _, ...rest } = tool;
  return {
    ...of,
    context: { ...of.context, tool: rest, adapter: { ...adapter, device: '', description: '' } },
  };
})();

describe('a comparison', () => {
  test('prints the report and is fine, whatever it says', async () => {
    const { out, err, code } = await compare(base, slower);
    expect(out).toMatch(/\| h32_kv8_d128_t1024_f16 .* \+3\.0 % \[\+3\.0, \+3\.0\] \| slower/);
    expect(out).toContain('differs  nothing that the files tell');
    expect(out).toMatch(/[^\n]\n$/);
    expect([err, code]).toEqual(['', undefined]);
  });

  test('of whole models is read too, and held to --fail-on; with attention beside it, it is refused', async () => {
    const { out, code } = await compare(whole, slowWhole, '--fail-on', 'regression');
    expect(out).toMatch(/kv8_b1_d64 .* \+50\.0 % .* slower/);
    expect(code).toBe(1);
    const mixed = await compare(whole, base);
    expect(mixed.err).toMatch(
      /expected results of one kind, got .*whole.json of whole models .* and .*base.json/,
    );
    expect([mixed.out, mixed.code]).toEqual(['', 1]);
  });

  test('is the same every time', async () => {
    const a = file('noisy-a.json', result([row(8, 1024, noisy(500))]));
    const b = file('noisy-b.json', result([row(8, 1024, noisy(510))]));
    expect((await compare(a, b)).out).toBe((await compare(a, b)).out);
  });

  test('takes a result of the page', async () => {
    const { out, code } = await compare(base, file('page.json', page));
    expect(out).toContain('runtime (node 20.20.2 / chrome 147.0)');
    expect(out).toContain('device (0x01 / not told)');
    expect(out).toContain('page % ceiling');
    expect(code).toBeUndefined();
  });

  test.each([
    ['2%', 'slower'],
    ['2.9', 'slower'],
    ['3.1 %', 'equivalent'],
    ['.5%', 'slower'],
  ])('--margin %s', async (margin, verdict) => {
    const { out } = await compare(base, slower, '--margin', margin);
    expect(out).toMatch(new RegExp(`h32_kv8_.*\\| ${verdict} `));
  });

  test('-o json is data, and warnings go to stderr', async () => {
    const { out, err } = await compare(old, base, '-o', 'json');
    const json = JSON.parse(out) as { rows: { id: string; change: number; verdict?: string }[] };
    expect(json.rows).toHaveLength(1);
    expect(json.rows[0]).toMatchObject({ id: mha.id, change: 0 });
    expect(json.rows[0]!.verdict).toBeUndefined();
    expect(err).toMatch(/^warning {2}suites 1 and \d+ measure differently: .*\n$/);
  });

  test('of nothing in common: exit code 1', async () => {
    const { out, code } = await compare(base, other);
    expect(out).toContain('no row is in both results');
    expect(code).toBe(1);
  });
});

describe('--fail-on', () => {
  test.each([
    ['regression', base, undefined, ''],
    ['any', base, undefined, ''],
    ['regression', slower, 1, 'h32_kv8_d128_t1024_f16 slower'],
    ['regression', wrong, 1, 'h32_kv8_d128_t1024_f16 wrong'],
    ['any', slower, 1, 'h32_kv8_d128_t1024_f16 slower'],
  ])('%s %s', async (what, b, expected, why) => {
    const { out, err, code } = await compare(base, b, '--fail-on', what);
    expect(out).toContain('| verdict');
    expect(err).toBe(why && `failed   --fail-on ${what}: ${why}\n`);
    expect(code).toBe(expected);
  });

  test('what got faster is no regression, but is a change', async () => {
    expect((await compare(slower, base, '--fail-on', 'regression')).code).toBeUndefined();
    const { err, code } = await compare(slower, base, '--fail-on', 'any');
    expect([err, code]).toEqual(['failed   --fail-on any: h32_kv8_d128_t1024_f16 faster\n', 1]);
  });
});

describe('rows that did not settle', () => {
  const busy = (ns: number) =>
    result([mha, row(8, 1024, steady(ns), { warnings: ['noisy'] })], {
      warnings: [{ code: 'noisy', text: '1 of 2 rows did not settle' }],
    });
  const before = file('busy-a.json', busy(500));
  const after = file('busy-b.json', busy(770));

  test('are no regression, and are counted', async () => {
    const { out, err, code } = await compare(before, after, '--fail-on', 'regression');
    expect(out).toContain('+54.0 % [+54.0, +54.0] | inconclusive: did not settle in A and B');
    expect(err).toBe('note     --fail-on regression: 1 of 2 rows are inconclusive and do not count\n');
    expect(code).toBeUndefined();
  });

  test("carry the runs' warnings into -o json", async () => {
    const { out } = await compare(before, after, '-o', 'json');
    const json = JSON.parse(out) as { a: { warnings: unknown[] }; b: { warnings: unknown[] } };
    expect(json.a.warnings).toEqual(busy(500).context.warnings);
    expect(json.b.warnings).toHaveLength(1);
  });
});

describe('more than two files', () => {
  test('are each compared with the first', async () => {
    const { out, err, code } = await compare(base, base, slower, '--fail-on', 'regression');
    expect(out.match(/^A {8}.*base\.json/gm)).toHaveLength(2);
    expect(out).toContain('slower');
    expect(err).toBe('failed   --fail-on regression: h32_kv8_d128_t1024_f16 slower\n');
    expect(code).toBe(1);
  });

  test('give a list of documents', async () => {
    const { out } = await compare(base, slower, wrong, '-o', 'json');
    const json = JSON.parse(out) as { b: { file: string } }[];
    expect(json.map(({ b }) => b.file)).toEqual([slower, wrong]);
  });
});

describe('refusals', () => {
  const missing = join(folder, 'none.json');
  const peers = file('peers.json', { ...result([]), schema: 'gqa-peers/1' });
  const lines = file('lines.jsonl', '{"id":1}\n{"id":2}\n');

  test.each([
    [[], "missing required argument 'A.json'"],
    [[base], "missing required argument 'B.json'"],
    [[base, slower, missing], `${missing}: expected a readable file: ENOENT`],
    [[base, missing], `${missing}: expected a readable file: ENOENT`],
    [[folder, base], `${folder}: expected a readable file: EISDIR`],
    [[base, peers], `${peers}: schema: expected "gqa-bench/1", got "gqa-peers/1"`],
    [[lines, base], `${lines}: expected one result as JSON (gqa bench -o json or --export-json)`],
    [[old, base, '--fail-on', 'any'], `--fail-on: expected results of one suite, got suites 1 and ${SUITE}`],
    [[base, slower, '--margin', 'two'], 'expected a share such as 2%, below 100%, got "two"'],
    [[base, slower, '--margin', '-2%'], '-2%'],
    [[base, slower, '--margin', '100%'], 'below 100%, got "100%"'],
    [[base, slower, '--fail-on', 'noise'], 'Allowed choices are regression, any'],
    [[base, slower, '-o', 'csv'], 'Allowed choices are md, json'],
  ])('%j', async (args, message) => {
    const { out, err, code } = await compare(...args);
    expect(err).toContain(message);
    expect([out, code]).toEqual(['', 1]);
  });
});

test('--help has the verdicts and examples', async () => {
  const { out, code } = await compare('--help');
  for (const text of [
    'equivalent',
    'inconclusive',
    '--fail-on regression',
    'gqa compare node.json chrome.json',
  ]) {
    expect(out).toContain(text);
  }
  expect(code).toBe(0);
});
