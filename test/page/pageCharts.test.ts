// pageCharts.test.ts: what the page's charts are made of, and where their axes begin and end; worked by hand.
import { describe, expect, it } from 'vitest';
import { benchCharts, waitingTimeChart } from '../../page/charts/benchCharts.ts';
import { levelExtent, uprightExtent } from '../../page/charts/extent.ts';
import { legendEntries, looksOf } from '../../page/charts/looks.ts';
import type { Axis, ChartSpec } from '../../page/charts/spec.ts';
import { NOT_RUN, noisy, row, steady, WRONG } from '../support/benchResult.ts';

const ceiling = { readGBps: 512 };

describe('charts of rows', () => {
  const three = [row(32, 1024, steady(64_000)), row(8, 1024, noisy(20_000)), row(1, 1024, steady(10_000))];

  it('are of the time against KV heads, beside what the bytes would give', () => {
    const [time, ...others] = benchCharts({ rows: three, ceiling });
    expect(others).toEqual([]);
    expect(time!.y.scale).toBe('linear');
    expect(time!.series).toEqual([
      {
        name: '1,024 tokens',
        kind: 'measured',
        points: [
          { x: 1, y: 10 },
          { x: 8, y: 20, low: expect.closeTo(19, 6), high: expect.closeTo(21, 6) },
          { x: 32, y: 64 },
        ],
      },
      {
        name: '1,024 tokens, ideal',
        kind: 'ideal',
        of: '1,024 tokens',
        points: [
          { x: 1, y: 2 },
          { x: 8, y: 16 },
          { x: 32, y: 64 },
        ],
      },
    ]);
  });

  it('are of the bandwidth against the length, below the ceiling, and share a logarithmic time', () => {
    const rows = [...three, row(32, 4096, steady(256_000)), row(8, 4096, [1], NOT_RUN)];
    const [time, bandwidth, ...others] = benchCharts({ rows, ceiling });
    expect(others).toEqual([]);
    expect(time!.y.scale).toBe('log2');
    // 2 * 32 heads * 1024 tokens * 128 elements * 2 bytes in 64 µs.
    const rate = (2 * 32 * 1024 * 128 * 2) / 64_000;
    expect(bandwidth!.series[0]).toEqual({
      name: '32 KV heads',
      kind: 'measured',
      points: [
        { x: 1024, y: rate },
        { x: 4096, y: rate },
      ],
    });
    expect(bandwidth!.series.at(-1)).toMatchObject({ kind: 'limit', points: [{ y: 512 }] });
  });

  it('have no ideal without an MHA row that settled', () => {
    const unsettled = { ...three[0]!, warnings: ['noisy' as const] };
    for (const rows of [three.slice(1), [unsettled, ...three.slice(1)]]) {
      expect(benchCharts({ rows, ceiling })[0]!.series.map(({ kind }) => kind)).toEqual(['measured']);
    }
  });

  it('have the words and the legend from the start that they have in the end', () => {
    const waiting = waitingTimeChart(['1,024 tokens']);
    const [{ series, ...words }] = benchCharts({ rows: three, ceiling }) as [ChartSpec];
    expect(waiting).toMatchObject({ title: words.title, caption: words.caption, fileName: words.fileName });
    expect(legendEntries(waiting)).toEqual(legendEntries({ ...words, series }));
  });

  it('are none where no line has two points', () => {
    expect(benchCharts({ rows: [], ceiling })).toEqual([]);
    expect(benchCharts({ rows: [three[0]!, row(8, 1024, [1], WRONG)], ceiling })).toEqual([]);
  });

  it('are apart, with names of their own, where rows differ in more', () => {
    const int8 = three.map((each) => ({
      ...each,
      params: { ...each.params, kType: 'int8' as const, vType: 'int8' as const },
    }));
    const charts = benchCharts({ rows: [...three, ...int8], ceiling, software: true });
    expect(charts.map(({ title, fileName }) => [title, fileName])).toEqual([
      ['Time of a decode step against KV heads: 32 query heads × 128 · f16', 'time-against-kv-heads-1'],
      ['Time of a decode step against KV heads: 32 query heads × 128 · int8', 'time-against-kv-heads-2'],
    ]);
    expect(charts[0]!.caption).toMatch(/^SOFTWARE ADAPTER: these are times of a CPU/);
  });
});

describe('axes', () => {
  const axis = (scale: Axis['scale'], more: Partial<Axis> = {}): Axis => ({
    label: 'x',
    scale,
    format: String,
    ...more,
  });

  it.each([
    ['begin at 0', axis('linear'), [7, 93], [0, 20, 40, 60, 80, 100]],
    [
      'or near the least value',
      axis('linear', { fromZero: false }),
      [1.42, 1.58],
      [1.4, 1.45, 1.5, 1.55, 1.6],
    ],
    ['go below 0 where values do', axis('linear'), [-3, 5], [-4, -2, 0, 2, 4, 6]],
    ['end at powers of two', axis('log2'), [3, 70], [2, 4, 8, 16, 32, 64, 128]],
    [
      'skip powers where there are too many',
      axis('log2'),
      [1, 2 ** 20],
      [1, 8, 64, 512, 4096, 32768, 262144, 2097152],
    ],
    ['have room for one value', axis('log2'), [8], [4, 8, 16]],
  ])('%s', (_, each, values, ticks) => {
    const extent = uprightExtent(each, values, 44 * 7);
    expect(extent.ticks).toEqual(ticks);
    expect(extent.domain).toEqual([ticks[0], ticks.at(-1)]);
  });

  it('have ticks at the values themselves where these are apart, and else at powers of two', () => {
    expect(levelExtent(axis('log2'), [1, 3, 9], 400)).toEqual({ domain: [1, 9], ticks: [1, 3, 9] });
    expect(levelExtent(axis('log2'), [1, 14, 16], 200)).toEqual({ domain: [1, 16], ticks: [1, 2, 4, 8, 16] });
  });

  it('write no value twice: a first step alone stands between 0 and 1', () => {
    const steps = { ...axis('linear'), format: (step: number) => step.toFixed(0) };
    expect(levelExtent(steps, [0], 400)).toEqual({ domain: [0, 1], ticks: [0, 1] });
  });
});

describe('looks', () => {
  const spec: ChartSpec = {
    title: '',
    caption: '',
    fileName: '',
    x: { label: '', scale: 'linear', format: String },
    y: { label: '', scale: 'linear', format: (value) => `${value} GB/s` },
    series: [
      { name: 'a', kind: 'measured', points: [] },
      { name: 'b', kind: 'measured', points: [] },
      { name: 'b ideal', kind: 'ideal', of: 'b', points: [] },
      { name: 'ceiling', kind: 'limit', points: [{ x: 0, y: 5 }] },
    ],
  };

  it('tell series apart by shape and dashes, and give an ideal the colour of its own', () => {
    const [a, b, ideal, limit] = looksOf(spec);
    expect(a!.symbol).not.toBe(b!.symbol);
    expect(ideal!.colour).toBe(b!.colour);
    expect(new Set([a!.dashes, ideal!.dashes, limit!.dashes]).size).toBe(3);
  });

  it('are named in the legend, a limit with its value', () => {
    expect(legendEntries(spec).map(({ text }) => text)).toEqual(['a', 'b', 'b ideal', 'ceiling: 5 GB/s']);
  });

  it('stay distinct for as many series as there are shapes', () => {
    const many = Array.from({ length: 8 }, (_, i) => ({
      name: `${i}`,
      kind: 'measured' as const,
      points: [],
    }));
    const looks = looksOf({ ...spec, series: many });
    expect(new Set(looks.map(({ symbol }) => symbol)).size).toBe(8);
    expect(new Set(looks.map(({ colour }) => colour)).size).toBe(8);
  });
});
