// charts.node.test.ts: the paper's figures as SVG: which there are, what stands on them, and that they suit dark pages.
import { expect, test } from 'vitest';
import { renderSvg } from '../../../bench/charts/render.ts';
import { FIGURES, reproduceCharts } from '../../../bench/reproduce/charts.ts';
import type { ReproduceResult } from '../../../bench/schema/reproduceSchema.ts';
import { reproduced } from '../../support/reproduceResult.ts';

async function drawn(result: ReproduceResult): Promise<Map<string, string>> {
  const charts = reproduceCharts(result);
  return new Map(
    await Promise.all(charts.map(async ({ figure, spec }) => [figure, await renderSvg(spec)] as const)),
  );
}

test('all three, or two where no step was timed or none could be', async () => {
  const { decode, ...untimed } = reproduced();
  const failed = { ...untimed, decode: decode!.map((each) => ({ ...each, stepNs: null })) };
  expect([...(await drawn(reproduced())).keys()]).toEqual(FIGURES);
  for (const result of [untimed, failed])
    expect([...(await drawn(result)).keys()]).toEqual(['figure4', 'figure5']);
});

test('figure 5 has the lines of mean and pca, or those that there are', async () => {
  const result = reproduced();
  const first = {
    ...result,
    runs: result.runs.map((run) => ({
      ...run,
      curves: run.curves.filter(({ method }) => method === 'first'),
    })),
  };
  const [both, one] = [await drawn(result), await drawn(first)].map((charts) => charts.get('figure5')!);
  expect([both!.includes('KV heads, mean'), both!.includes('KV heads, first')]).toEqual([true, false]);
  expect(one).toContain('KV heads, first');
});

test('shares of the steps are as they were given', async () => {
  const { params, ...rest } = reproduced();
  const charts = await drawn({ ...rest, params: { ...params, alphas: [0, 0.07] } });
  for (const svg of charts.values()) expect(svg).not.toMatch(/7\.0{5}/);
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
