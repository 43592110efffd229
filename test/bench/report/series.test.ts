// series.test.ts: which rows of a result become which points of a chart, worked by hand.
import { describe, expect, test } from 'vitest';
import type { BenchRow } from '../../../bench/schema/schema.ts';
import { apart, ticks } from '../../../scripts/charts/layers.ts';
import {
  bandwidthPoints,
  hasInterval,
  hasLine,
  idealLines,
  linesOf,
  panelsOf,
  timePoints,
  type Point,
} from '../../../bench/report/series.ts';
import { NOT_RUN, noisy, result, row, steady, WRONG } from '../../support/benchResult.ts';

/** A row with other parameters, and an id of its own. */
function other(of: BenchRow, params: Partial<BenchRow['params']>): BenchRow {
  return { ...of, id: `${of.id}_other`, params: { ...of.params, ...params } };
}

const panel = (...rows: BenchRow[]) => ({ title: '', rows });

describe('panels', () => {
  const base = row(8, 1024, steady(1000));

  test('hold rows that differ in KV heads and length only', () => {
    const rows = [row(32, 1024, steady(1)), row(8, 1024, steady(1)), row(8, 4096, steady(1))];
    expect(panelsOf(result(rows))).toEqual([{ title: '32 query heads × 128 · f16', rows }]);
  });

  test.each([
    [{ kType: 'int8', vType: 'int8' }, '32 query heads × 128 · int8'],
    [{ vType: 'int4' }, '32 query heads × 128 · K f16, V int4'],
    [{ batch: 4 }, '32 query heads × 128 · f16 · batch 4'],
    [{ capacity: 8192 }, '32 query heads × 128 · f16 · capacity 8192'],
    [{ kernel: 'tiles' }, '32 query heads × 128 · f16 · tiles'],
    [{ cache: 'hot' }, '32 query heads × 128 · f16 · hot caches'],
    [{ heads: 64, headDim: 64 }, '64 query heads × 64 · f16'],
    [{ prompt: 1024 }, '32 query heads × 128 · f16 · prompts'],
    [{ pageSize: 16, window: 512 }, '32 query heads × 128 · f16 · pages of 16, window 512'],
  ] as const)('part where %o differs', (params, title) => {
    const panels = panelsOf(result([base, other(base, params)]));
    expect(panels.map((each) => each.title)).toEqual(['32 query heads × 128 · f16', title]);
  });

  test('leave out rows without a time', () => {
    expect(panelsOf(result([row(8, 1024, [1], WRONG), row(1, 1024, [1], NOT_RUN)]))).toEqual([]);
  });
});

describe('points of the time', () => {
  test('are medians in microseconds with their intervals, by KV heads, a line per length', () => {
    const points = timePoints(
      panel(row(32, 1024, noisy(1000, 6)), row(8, 4096, steady(7000)), row(8, 1024, steady(500))),
    );
    expect(points).toEqual([
      { line: '4,096 tokens', x: 8, y: 7, low: 7, high: 7 },
      { line: '1,024 tokens', x: 8, y: 0.5, low: 0.5, high: 0.5 },
      { line: '1,024 tokens', x: 32, y: 1, low: 0.9, high: 1.1 },
    ]);
  });

  test('of a ragged batch have its requests for a name', () => {
    const ragged = other(row(8, 4096, steady(1)), { requests: '2q1s4k_30q1s512', batch: 32 });
    expect(timePoints(panel(ragged)).map(({ line }) => line)).toEqual(['2q1s4k_30q1s512']);
  });

  test('of fewer than six samples have no width', () => {
    const [{ low, y, high }] = timePoints(panel(row(8, 1024, noisy(1000, 5)))) as [Point];
    expect([low, high]).toEqual([y, y]);
    expect(hasInterval(panel(row(8, 1024, noisy(1000, 5))))).toBe(false);
    expect(hasInterval(panel(row(8, 1024, noisy(1000, 6))))).toBe(true);
  });

  test('have an ideal in proportion to KV heads, from MHA to the fewest', () => {
    const rows = [32, 8, 1].map((kv) => row(kv, 1024, steady(1000 + 100 * kv)));
    expect(idealLines(panel(...rows))).toEqual([
      { line: '1,024 tokens', x: 1, y: 4.2 / 32 },
      { line: '1,024 tokens', x: 32, y: 4.2 },
    ]);
    expect(idealLines(panel(rows[0]!))).toEqual([]);
  });

  test('have no ideal without an MHA row that settled', () => {
    const [mha, gqa, mqa] = [32, 8, 1].map((kv) => row(kv, 1024, steady(1000 * kv)));
    expect(idealLines(panel(gqa!, mqa!))).toEqual([]);
    expect(idealLines(panel({ ...mha!, warnings: ['noisy'] }, gqa!, mqa!))).toEqual([]);
    // Of another length: no base for this line.
    expect(idealLines(panel(row(32, 4096, steady(1)), gqa!, mqa!))).toEqual([]);
  });
});

describe('points of the bandwidth', () => {
  test('are bytes of K and V per nanosecond, by length, a line per number of KV heads', () => {
    // 2 * 8 heads * 1024 tokens * 128 * 2 bytes = 4 MiB.
    const points = bandwidthPoints(
      panel(row(8, 2048, steady(2 ** 21)), row(8, 1024, steady(2 ** 22)), row(1, 1024, steady(2 ** 19))),
    );
    expect(points).toEqual([
      { line: '8 KV heads', x: 1024, y: 1, low: 1, high: 1 },
      { line: '1 KV head', x: 1024, y: 1, low: 1, high: 1 },
      { line: '8 KV heads', x: 2048, y: 4, low: 4, high: 4 },
    ]);
  });

  test('have low and high the right way round', () => {
    const [{ low, y, high }] = bandwidthPoints(panel(row(8, 1024, noisy(1000)))) as [Point];
    expect(low).toBeLessThan(y);
    expect(high).toBeGreaterThan(y);
  });

  test('leave out hot rows and ragged batches', () => {
    const hot = row(8, 1024, steady(1), { cold: false });
    const ragged = other(row(8, 1024, steady(1)), { requests: '1q1s1k_1q1s512' });
    expect(bandwidthPoints(panel(hot, ragged))).toEqual([]);
  });
});

describe('lines', () => {
  const at = (line: string, x: number, y: number): Point => ({ line, x, y, low: y, high: y });

  test('come in the order of their first points', () => {
    const points = [at('b', 1, 1), at('a', 1, 9), at('a', 2, 2), at('c', 2, 4), at('b', 2, 3)];
    expect(linesOf(points)).toEqual(['b', 'a', 'c']);
  });

  test('are there when any has two points', () => {
    expect(hasLine([])).toBe(false);
    expect(hasLine([at('a', 1, 1), at('b', 2, 1)])).toBe(false);
    expect(hasLine([at('a', 1, 1), at('b', 2, 1), at('a', 2, 1)])).toBe(true);
  });
});

test('names stand apart, moved down no more than they must be', () => {
  expect(apart([10, 5, 1], 2)).toEqual([10, 5, 1]);
  expect(apart([10, 9, 8.5, 1], 2)).toEqual([10, 8, 6, 1]);
  expect(apart([], 2)).toEqual([]);
});

describe('ticks', () => {
  test('are 1, 2 and 5 times powers of ten', () => {
    expect(ticks(0.15, 6)).toEqual([0.2, 0.5, 1, 2, 5]);
    expect(ticks(100, 1000)).toEqual([100, 200, 500, 1000]);
  });

  test('are powers of ten alone over many decades', () => {
    expect(ticks(0.02, 5000)).toEqual([0.1, 1, 10, 100, 1000]);
  });
});
