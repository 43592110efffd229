// compareReport.test.ts: the report of a comparison, cell by cell.
import { describe, expect, test } from 'vitest';
import { compareResults } from '../../../bench/report/compare.ts';
import { compareJson, compareMarkdown } from '../../../bench/report/compareReport.ts';
import type { BenchContext, BenchRow } from '../../../bench/schema/schema.ts';
import { SUITE } from '../../../bench/schema/version.ts';
import { NO_TIME, NOT_RUN, result, row, steady, WRONG } from '../../support/benchResult.ts';

interface More {
  readonly names?: readonly [string, string];
  readonly a?: Partial<BenchContext>;
  readonly b?: Partial<BenchContext>;
}

function compared(a: readonly BenchRow[], b: readonly BenchRow[], { names, ...more }: More = {}) {
  const [nameA, nameB] = names ?? ['runs/base.json', 'runs/new.json'];
  const sideA = { name: nameA, result: result(a, more.a) };
  return compareResults(sideA, { name: nameB, result: result(b, more.b) }, 0.02);
}

/** The cells of the table, the title line first. */
function tableOf(report: string): string[][] {
  const lines = report.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| ---'));
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const lineOf = (report: string, word: string) =>
  report
    .split('\n')
    .find((line) => line.startsWith(word))
    ?.trim();

const mha = row(32, 1024, steady(203_000));
const gqa = row(8, 1024, steady(57_400));
const mqa = row(1, 1024, steady(22_800));

describe('the table', () => {
  test('has both medians, the change with its interval, and the verdict', () => {
    const b = [row(32, 1024, steady(209_800)), row(8, 1024, steady(57_300)), row(1, 1024, steady(11_400))];
    expect(tableOf(compareMarkdown(compared([mha, gqa, mqa], b)))).toEqual([
      ['row', 'variant', 'base µs', 'new µs', 'change [95 % interval]', 'verdict'],
      ['h32_kv32_d128_t1024_f16', 'mha', '203.0', '209.8', '+3.3 % [+3.3, +3.3]', 'slower'],
      ['h32_kv8_d128_t1024_f16', 'gqa', '57.40', '57.30', '-0.2 % [-0.2, -0.2]', 'equivalent'],
      ['h32_kv1_d128_t1024_f16', 'mqa', '22.80', '11.40', '-50.0 % [-50.0, -50.0]', 'faster'],
    ]);
  });

  test('shows what rounds to nothing as +0.0', () => {
    const b = row(8, 1024, steady(57_399));
    expect(tableOf(compareMarkdown(compared([gqa], [b])))[1]![4]).toBe('+0.0 % [+0.0, +0.0]');
  });

  test('shows rows that are wrong or did not run as such', () => {
    const a = [mha, row(8, 1024, [1], WRONG), row(1, 1024, [1], NOT_RUN)];
    const b = [row(32, 1024, [1], WRONG), row(8, 1024, [1], NOT_RUN), row(1, 1024, [1], NOT_RUN)];
    const report = compareMarkdown(compared(a, b));
    const cells = tableOf(report).slice(1);
    expect(cells.map((line) => line.slice(2))).toEqual([
      ['203.0', 'WRONG', '', 'wrong in B'],
      ['WRONG', 'not run', '', 'wrong in A, not run in B'],
      ['not run', 'not run', '', 'not run in both'],
    ]);
    expect(report).toContain(
      'error    A: h32_kv8_d128_t1024_f16: wrong result: error 1.00e+0, bound 1.00e-6',
    );
    expect(report).toContain('error    B: h32_kv1_d128_t1024_f16: too large');
  });

  test('of files whose names tell nothing has A and B', () => {
    const titles = (...names: [string, string]) =>
      tableOf(compareMarkdown(compared([mha], [mha], { names })))[0]!;
    expect(titles('old/run.json', 'new/run.json').slice(2, 4)).toEqual(['A µs', 'B µs']);
    expect(titles('a|b.json', 'c.json').slice(2, 4)).toEqual(['A µs', 'B µs']);
    expect(titles('a-name-that-is-very-long.json', 'c.json').slice(2, 4)).toEqual(['A µs', 'B µs']);
    expect(titles('C:\\runs\\old.json', 'new.json').slice(2, 4)).toEqual(['old µs', 'new µs']);
  });

  test("of two devices has each row's share of its own ceiling, but not of a warm row", () => {
    const other = { adapter: { ...result([]).context.adapter, device: '0x02' } };
    // 4 MiB at 512 bytes per ns take 8192 ns.
    const b = [row(8, 1024, steady(16_384)), row(1, 1024, steady(10_000), { cold: false })];
    const report = compareMarkdown(compared([row(8, 1024, steady(32_768)), mqa], b, { b: other }));
    const cells = tableOf(report).map((line) => line.slice(6));
    expect(cells).toEqual([
      ['base % ceiling', 'new % ceiling'],
      ['25 %', '50 %'],
      ['4.5 %', 'warm'],
    ]);
  });
});

describe('above and below the table', () => {
  test('stand both runs: file, tool, day, runtime, adapter', () => {
    const software = { adapter: { ...result([]).context.adapter, software: true }, label: 'desk' };
    const report = compareMarkdown(compared([mha], [mha], { b: software }));
    expect(lineOf(report, 'A ')).toBe(
      'A        runs/base.json · 0.1.0 (abc1234) · 2026-01-02 · node 20.20.2 · acme · one · 0x01 · Acme One 1.0',
    );
    expect(lineOf(report, 'B ')).toMatch(/Acme One 1\.0 · SOFTWARE · label "desk"$/);
  });

  test('stands what differs and what is the same', () => {
    const b = [row(32, 1024, steady(1), { kernel: 'tiles', sizes: 'tiles wg8' }), gqa];
    const report = compareMarkdown(compared([mha, gqa], b, { b: { seed: 7, nonStandard: { seed: '7' } } }));
    expect(lineOf(report, 'differs')).toBe(
      'differs  seed (42 / 7), kernel of 1 of 2 rows (registers / tiles), ' +
        'sizes of 1 of 2 rows (registers wg64 / tiles wg8)',
    );
    expect(lineOf(report, 'same')).toMatch(
      /^same {5}suite, version, commit, .*ceiling \(within 5 %\), parameters, model, /,
    );
  });

  test('says when nothing differs, and marks what differs in several ways', () => {
    expect(lineOf(compareMarkdown(compared([mha], [mha])), 'differs')).toBe(
      'differs  nothing that the files tell',
    );
    const b = [
      { ...mha, kernel: 'tiles' as const },
      { ...gqa, kernel: 'plain' as const },
    ];
    expect(lineOf(compareMarkdown(compared([mha, gqa], b)), 'differs')).toBe(
      'differs  kernel of 2 of 2 rows (registers / tiles, …)',
    );
  });

  test('stand rows of one file only, warnings of the runs once, and how to read it', () => {
    const software = { code: 'software-adapter', text: 'a CPU' } as const;
    const noisy = { code: 'noisy', text: 'busy' } as const;
    const warnings = { a: { warnings: [software] }, b: { warnings: [software, noisy] } };
    const report = compareMarkdown(compared([mha, gqa], [gqa, mqa], warnings));
    expect(lineOf(report, 'only A')).toBe('only A   h32_kv32_d128_t1024_f16');
    expect(lineOf(report, 'only B')).toBe('only B   h32_kv1_d128_t1024_f16');
    expect(report.match(/^warning .*$/gm)).toEqual(['warning  A and B: a CPU  ', 'warning  B: busy  ']);
    expect(lineOf(report, 'note')).toContain('the whole interval within ±2 %');
  });

  test('says why rows are inconclusive, and gives few samples no interval', () => {
    const few = compareMarkdown(compared([row(8, 1024, steady(1, 5))], [gqa]));
    expect(tableOf(few)[1]!.slice(4)).toEqual([
      expect.stringMatching(/ % \[none\]$/),
      'inconclusive: fewer than 6 samples',
    ]);
    const noisy = { warnings: ['noisy'] } as const;
    const restless = compareMarkdown(compared([row(8, 1024, steady(1), noisy)], [gqa]));
    expect(tableOf(restless)[1]![5]).toBe('inconclusive: did not settle in A');
  });

  test('says of a row that its clock could not tell a time', () => {
    const report = compareMarkdown(compared([gqa], [row(8, 1024, [1], NO_TIME)]));
    expect(tableOf(report)[1]!.slice(3)).toEqual(['no time', '', 'no time in B']);
    expect(report).toContain('error    B: h32_kv8_d128_t1024_f16: below what this clock can tell');
  });

  test('nothing in common: no table, and a warning', () => {
    const report = compareMarkdown(compared([mha], [gqa]));
    expect(tableOf(report)).toEqual([]);
    expect(report).toContain('warning  no row is in both results: nothing was compared');
  });
});

test('another suite: changes without verdicts, and a warning', () => {
  const old = { name: 'old.json', result: { ...result([mha]), suite: '1' } };
  const comparison = compareResults(old, { name: 'new.json', result: result([mha]) }, 0.02);
  const report = compareMarkdown(comparison);
  expect(tableOf(report)[1]!.slice(4)).toEqual(['+0.0 % [+0.0, +0.0]', 'none: another suite']);
  expect(report).toContain(`warning  suites 1 and ${SUITE} measure differently`);
});

test('as JSON: everything in plain numbers', () => {
  const b = [row(32, 1024, steady(406_000)), row(8, 1024, [1], WRONG)];
  const json = compareJson(compared([mha, gqa, mqa], b));
  expect(JSON.parse(JSON.stringify(json))).toEqual(json);
  expect(json.schema).toBe('gqa-compare/1');
  expect(json.a).toMatchObject({ file: 'runs/base.json', suite: SUITE, tool: { commit: 'abc1234' } });
  expect(json.rows).toEqual([
    {
      id: mha.id,
      variant: 'mha',
      a: { state: 'timed', medianNs: 203_000, samples: 9, ceilingShare: 16_777_216 / 203_000 / 512 },
      b: { state: 'timed', medianNs: 406_000, samples: 9, ceilingShare: 16_777_216 / 406_000 / 512 },
      change: 1,
      interval: [1, 1],
      verdict: 'slower',
    },
    {
      id: gqa.id,
      variant: 'gqa',
      a: { state: 'timed', medianNs: 57_400, samples: 9, ceilingShare: 4_194_304 / 57_400 / 512 },
      b: { state: 'wrong', error: 'wrong result: error 1.00e+0, bound 1.00e-6' },
    },
  ]);
  expect([json.onlyInA, json.onlyInB]).toEqual([[mqa.id], []]);
});

test('as JSON: the warnings of both runs and of their rows, and no interval of few samples', () => {
  const busy = { code: 'noisy', text: '1 of 1 rows did not settle' } as const;
  const a = row(8, 1024, steady(100), { warnings: ['noisy'] });
  const json = compareJson(compared([a], [row(8, 1024, [200])], { a: { warnings: [busy] } }));
  expect([json.a.warnings, json.b.warnings]).toEqual([[busy], []]);
  expect(json.rows[0]).toMatchObject({
    a: { warnings: ['noisy'] },
    change: 1,
    interval: null,
    verdict: 'inconclusive',
    why: 'fewer than 6 samples',
  });
  expect(json.rows[0]!.b).not.toHaveProperty('warnings');
});
