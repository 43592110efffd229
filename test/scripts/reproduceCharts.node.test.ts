// reproduceCharts.node.test.ts: the paper's figures as SVG: what stands on them, that they suit dark pages, and that the committed ones are up to date.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ReproduceResult } from '../../bench/schema/reproduceSchema.ts';
import { renderSvg } from '../../scripts/charts/render.ts';
import { REPRODUCE_KINDS, reproduceCharts } from '../../scripts/charts/reproduceSpecs.ts';
import { readReproduceResults, RESULTS, ROOT } from '../../scripts/resultFiles.ts';
import { reproduced } from '../support/reproduceResult.ts';

async function drawn(result: ReproduceResult): Promise<Map<string, string>> {
  const charts = reproduceCharts('x', result);
  return new Map(
    await Promise.all(charts.map(async ({ file, spec }) => [file, await renderSvg(spec)] as const)),
  );
}

test('all three, or two where no steps were timed', async () => {
  const { decode, ...untimed } = reproduced();
  expect(decode).toBeDefined();
  expect([...(await drawn(reproduced())).keys()]).toEqual(REPRODUCE_KINDS.map((kind) => `x.${kind}.svg`));
  expect([...(await drawn(untimed)).keys()]).toEqual(['x.figure4.svg', 'x.figure5.svg']);
});

test('they name the adapter, and every colour has a dark one', async () => {
  for (const svg of (await drawn(reproduced())).values()) {
    expect(svg).toContain('2 seeds; on a CPU, software');
    const [style] = /<style>.*?<\/style>/.exec(svg)!;
    const colours = new Set(
      [...svg.replace(style, '').matchAll(/(?:fill|stroke)="([^"]*)"/g)].map((match) => match[1]!),
    );
    for (const colour of colours) {
      if (colour !== 'none' && colour !== 'transparent') expect(style).toContain(`="${colour}"]{`);
    }
  }
});

test('the committed charts are those of the results, and no others (npm run charts)', async () => {
  const folder = join(ROOT, RESULTS);
  const charts = readReproduceResults().flatMap(({ name, result }) => reproduceCharts(name, result));
  expect(charts.length).toBeGreaterThan(0);
  const files = readdirSync(folder).filter((file) =>
    REPRODUCE_KINDS.some((kind) => file.endsWith(`.${kind}.svg`)),
  );
  expect(files.toSorted()).toEqual(charts.map(({ file }) => file).toSorted());
  for (const { file, spec } of charts)
    expect(readFileSync(join(folder, file), 'utf8')).toBe(await renderSvg(spec));
});
