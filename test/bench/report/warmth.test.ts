// warmth.test.ts: every word that a table has for a row's caches is explained below it, from that run's own figures.
import { expect, test } from 'vitest';
import { markdownReport, resultTable } from '../../../bench/report/report.ts';
import type { BenchResult } from '../../../bench/schema/schema.ts';
import { warmthNotes, warmthOf } from '../../../bench/report/warmth.ts';
import { NOT_RUN, result, row, steady } from '../../support/benchResult.ts';

const MIB = 2 ** 20;

const notesOf = (of: BenchResult) => warmthNotes(of, of.results);

const warm = (kvHeads: number, mib: number) =>
  row(kvHeads, 1024, steady(100), { cold: false, workingSetBytes: mib * MIB });
const cold = row(32, 1024, steady(100));
const hot = row(8, 1024, steady(100), { cold: false, params: { ...cold.params, cache: 'hot' } });

test('a row has one of three words', () => {
  expect([warm(1, 4), cold, hot].map(warmthOf)).toEqual(['warm', 'cold', 'hot']);
});

test.each([
  ['the cache is known and holds them', [4, 16], 32, '(4 MiB to 16 MiB) fit the last-level cache (32 MiB)'],
  [
    'it is known and may hold some',
    [4, 48],
    32,
    '(4 MiB to 48 MiB) are less than twice the last-level cache (32 MiB)',
  ],
  ['it is not known', [4, 4], undefined, '(4 MiB) are less than the 64 MiB that count as cold here'],
])('warm rows, %s', (_, [a, b], lastLevelMib, said) => {
  const sizes = lastLevelMib === undefined ? {} : { lastLevelCacheBytes: lastLevelMib * MIB };
  const of = result([cold, warm(8, a!), warm(1, b!)], { coldBytes: 64 * MIB, ...sizes });
  const [line, ...others] = notesOf(of);
  expect(line).toContain(`note     warm: all copies of a row's caches together ${said}`);
  expect(others).toEqual([]);
  expect(markdownReport(of)).toContain(line);
});

test('one warm row is named, a hot one is as asked, and cold ones or those without a time need no word', () => {
  const id = 'h32_kv1_d128_t1024_f16';
  const lines = notesOf(result([warm(1, 4), hot, row(1, 512, steady(1), { ...NOT_RUN, cold: false })]));
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain(`warm: all copies of ${id} together (4 MiB)`);
  expect(lines[1]).toMatch(/^note {5}hot: one cache is read again and again, as asked/);
  expect(notesOf(result([cold]))).toEqual([]);
});

test('the table has the word where the share of the ceiling would be', () => {
  expect(resultTable(result([warm(1, 4)])).split('\n')[2]).toMatch(/\| {6}warm \|/);
  expect(resultTable(result([hot])).split('\n')[2]).toMatch(/\| {7}hot \|/);
});
