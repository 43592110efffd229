// costs.test.ts: what pages, windows and features cost, beside the row of the standard step; prompts by tokens per second.
import { expect, test } from 'vitest';
import { costOf, standardOf, tokensPerSecond } from '../../../bench/report/costs.ts';
import { csvReport } from '../../../bench/report/csvReport.ts';
import { noteLines, resultTable } from '../../../bench/report/report.ts';
import type { BenchRow } from '../../../bench/schema/schema.ts';
import { result, row } from '../../support/benchResult.ts';

const varied = (base: BenchRow, more: Partial<BenchRow['params']>): BenchRow => {
  return { ...base, id: `${base.id} varied`, params: { ...base.params, ...more } };
};

const ten = (ns: number) => Array.from({ length: 10 }, () => ns);
const standard = row(8, 4096, ten(1000));
const paged = varied(row(8, 4096, ten(1040)), { pageSize: 16 });
const other = varied(row(1, 4096, ten(500)), { window: 128 });

test('a cost is against the row that is the same but for pages, window and features', () => {
  const rows = [standard, paged, other];
  expect(standardOf(rows, paged)).toBe(standard);
  expect(costOf(rows, paged)).toEqual({ ratio: 1.04, interval: [1.04, 1.04] });
  expect(costOf(rows, standard)).toBeUndefined();
  expect(costOf(rows, other)).toBeUndefined(); // no row of one KV head without a window
});

test('a cascade is against the plain step on the same contents, and that against the standard one', () => {
  const shared = varied(row(8, 4096, ten(900)), { pageSize: 16, sharedPrefix: 1024 });
  const cascade = varied(row(8, 4096, ten(450)), { pageSize: 16, sharedPrefix: 1024, cascade: true });
  const rows = [standard, shared, cascade];
  expect(standardOf(rows, cascade)).toBe(shared);
  expect(costOf(rows, cascade)).toEqual({ ratio: 0.5, interval: [0.5, 0.5] });
  expect(standardOf(rows, shared)).toBe(standard);
  const [head, , , line] = csvReport(result(rows))
    .split('\n')
    .map((text) => text.split(','));
  expect(line![head!.indexOf('sharedPrefix')]).toBe('1024');
  expect(line![head!.indexOf('cascade')]).toBe('yes');
});

test('RoPE is against the step with an append, a tree against that of as many positions, and those against the standard one', () => {
  const of = (ns: number, more: Partial<BenchRow['params']>) => varied(row(8, 4096, ten(ns)), more);
  const append = of(1100, { append: true });
  const rope = of(1210, { append: true, features: ['rope'] });
  const positions = of(2000, { positions: 4 });
  const tree = of(2200, { positions: 4, features: ['tree'] });
  const rows = [standard, append, rope, positions, tree];
  expect([append, rope, positions, tree].map((each) => standardOf(rows, each))).toEqual([
    standard,
    append,
    standard,
    positions,
  ]);
  expect(costOf(rows, rope)!.ratio).toBeCloseTo(1.1);
  expect(costOf([standard, rope, tree], rope)).toBeUndefined();
  expect(noteLines(result(rows)).join('\n')).toContain('RoPE and QK-norm against the step with an append');
  expect(noteLines(result([standard, paged])).join('\n')).not.toContain('RoPE');
  const [head, ...lines] = csvReport(result(rows))
    .split('\n')
    .map((text) => text.split(','));
  const column = (name: string) => lines.map((line) => line[head!.indexOf(name)]);
  expect(column('append')).toEqual(['', 'yes', 'yes', '', '']);
  expect(column('positions')).toEqual(['', '', '', '4', '4']);
});

test('the columns are there where rows call for them', () => {
  expect(resultTable(result([standard]))).not.toContain('vs standard');
  const table = resultTable(result([standard, paged]));
  expect(table).toContain('vs standard');
  expect(table).toContain('1.04× [1.04–1.04]');
  expect(table).not.toContain('tokens/s');
  expect(noteLines(result([standard, paged])).join('\n')).toContain('vs standard: ');
});

test('a prompt has tokens per second, no share of the ceiling, and an ideal of 1', () => {
  const prompt = { prompt: 512, batch: 2, cache: 'cold' } as const;
  const [mha, gqa] = [row(32, 512, ten(2e6)), row(8, 512, ten(1e6))].map((each) => ({
    ...varied(each, prompt),
    cold: false,
  })) as [BenchRow, BenchRow];
  expect(tokensPerSecond(gqa)).toBe(1024 / 1e-3);
  const table = resultTable(result([mha, gqa]));
  expect(table).toContain('tokens/s');
  expect(table).toContain('|  1024000 |');
  expect(table).toContain('2.00× (1.00×)');
  expect(table).not.toContain('warm');
  const [head, , line] = csvReport(result([mha, gqa])).split('\n');
  expect(line!.split(',')[head!.split(',').indexOf('tokensPerSecond')]).toBe('1024000');
});
