// reproduceCharts.node.test.ts: the committed charts of the paper's figures are up to date.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { renderSvg } from '../../bench/charts/render.ts';
import { FIGURES } from '../../bench/reproduce/charts.ts';
import { reproduceChartFiles } from '../../scripts/charts/reproduceFiles.ts';
import { readReproduceResults, RESULTS, ROOT } from '../../scripts/resultFiles.ts';

test('the committed charts are those of the results, and no others (npm run charts)', async () => {
  const folder = join(ROOT, RESULTS);
  const charts = readReproduceResults().flatMap(({ name, result }) => reproduceChartFiles(name, result));
  expect(charts.length).toBeGreaterThan(0);
  const files = readdirSync(folder).filter((file) =>
    FIGURES.some((figure) => file.endsWith(`.${figure}.svg`)),
  );
  expect(files.toSorted()).toEqual(charts.map(({ file }) => file).toSorted());
  for (const { file, spec } of charts)
    expect(readFileSync(join(folder, file), 'utf8')).toBe(await renderSvg(spec));
});
