// charts.node.test.ts: charts as SVG: what stands on them, that they suit dark pages, and that the committed ones are up to date.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { BenchRow } from '../../bench/schema/schema.ts';
import { renderSvg } from '../../bench/charts/render.ts';
import { chartFiles, isChartFile } from '../../scripts/charts/specs.ts';
import { readResults, RESULTS, ROOT } from '../../scripts/resultFiles.ts';
import { result, row, steady } from '../support/benchResult.ts';

const rows = [1024, 4096].flatMap((depth) =>
  [32, 8, 1].map((kv) => row(kv, depth, steady(depth * (kv + 2)))),
);

async function svgs(of: readonly BenchRow[], more: Parameters<typeof result>[1] = {}) {
  const charts = chartFiles('x', result(of, more));
  const svgOf = (file: string) => {
    const spec = charts.find((chart) => chart.file === file)?.spec;
    return spec && renderSvg(spec);
  };
  return { time: await svgOf('x.kv-heads.svg'), bandwidth: await svgOf('x.length.svg') };
}

/** The words of an SVG. */
function wordsOf(svg: string): string[] {
  return [...svg.matchAll(/>([^<>]+)<\/(?:text|tspan)>/g)].map((match) => match[1]!);
}

describe('both charts', () => {
  test('say on what, when and with which version they were made', async () => {
    const { time, bandwidth } = await svgs(rows, { label: 'desk' });
    for (const svg of [time!, bandwidth!]) {
      const words = wordsOf(svg);
      expect(words).toContain('Acme One 1.0 · desk');
      expect(words).toContain('32 query heads × 128 · f16 · 2026-01-02 · gqa-webgpu 0.1.0 (abc1234)');
      expect(words.join()).not.toContain('SOFTWARE');
    }
  });

  test('name software adapters, and adapters that a browser masks', async () => {
    const { adapter } = result([]).context;
    const software = {
      ...adapter,
      description: '',
      device: '',
      vendor: '',
      architecture: '',
      software: true,
    };
    const { time, bandwidth } = await svgs(rows, { adapter: software });
    for (const svg of [time!, bandwidth!]) {
      expect(wordsOf(svg)).toContain('SOFTWARE ADAPTER: times of a CPU, not of a GPU');
      expect(wordsOf(svg)).toContain('adapter unnamed by the browser');
    }
  });

  test('have a dark colour for every colour that they use', async () => {
    const { time, bandwidth } = await svgs(rows);
    for (const svg of [time!, bandwidth!]) {
      const [style] = /<style>.*?<\/style>/.exec(svg)!;
      expect(style).toMatch(/^<style>@media \(prefers-color-scheme:dark\)\{/);
      const drawn = svg.replace(style, '');
      const colours = new Set([...drawn.matchAll(/(?:fill|stroke)="([^"]*)"/g)].map((match) => match[1]!));
      colours.delete('none');
      colours.delete('transparent');
      expect(colours.size).toBeGreaterThan(4);
      for (const colour of colours) expect(style).toContain(`="${colour}"]{`);
    }
  });

  test('are the same bytes for the same result', async () => {
    expect(await svgs(rows)).toEqual(await svgs(rows));
  });

  test('draw one picture for each element type', async () => {
    const int8 = rows.map((each) => ({
      ...each,
      params: { ...each.params, kType: 'int8' as const, vType: 'int8' as const },
    }));
    const { time, bandwidth } = await svgs([...rows, ...int8]);
    for (const svg of [time!, bandwidth!]) {
      expect(wordsOf(svg)).toContain('32 query heads × 128 · f16');
      expect(wordsOf(svg)).toContain('32 query heads × 128 · int8');
    }
  });
});

test('the chart of times has a line per length, an ideal, and every number of KV heads on its axis', async () => {
  const words = wordsOf((await svgs(rows)).time!);
  for (const word of ['4,096 tokens', '1,024 tokens', '1', '8', '32', 'KV heads'])
    expect(words).toContain(word);
  expect(words.join()).toContain('Dashed: the ideal, time in proportion to KV heads');
});

test('the chart of bandwidth has a line per number of KV heads, the ceiling, and every length on its axis', async () => {
  const words = wordsOf((await svgs(rows)).bandwidth!);
  for (const word of ['32 KV heads', '8 KV heads', '1 KV head', '1,024', '4,096'])
    expect(words).toContain(word);
  expect(words).toContain('read ceiling, measured in the same run: 512 GB/s');
});

test('a chart whose lines would be points is not drawn', async () => {
  const oneLength = await svgs(rows.slice(0, 3));
  expect(oneLength.time).toContain('<svg');
  expect(oneLength.bandwidth).toBeUndefined();
  const oneNumber = await svgs([rows[0]!, rows[3]!]);
  expect(oneNumber.time).toBeUndefined();
  expect(oneNumber.bandwidth).toContain('<svg');
  expect(await svgs([])).toEqual({ time: undefined, bandwidth: undefined });
});

test('the committed charts are those of the results, and no others (npm run charts)', async () => {
  const folder = join(ROOT, RESULTS);
  const results = readResults();
  expect(results.length).toBeGreaterThan(0);
  const charts = results.flatMap(({ name, result: of }) => chartFiles(name, of));
  const files = readdirSync(folder).filter(isChartFile);
  expect(files.toSorted()).toEqual(charts.map(({ file }) => file).toSorted());
  for (const { file, spec } of charts)
    expect(readFileSync(join(folder, file), 'utf8')).toBe(await renderSvg(spec));
});
