// charts.ts: `npm run charts`, the SVG charts beside every result in bench/results. Charts of results that are gone go too.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { renderSvg } from '../bench/charts/render.ts';
import { FIGURES } from '../bench/reproduce/charts.ts';
import { writeOutput } from '../src/files/outputFile.ts';
import { reproduceChartFiles } from './charts/reproduceFiles.ts';
import { chartFiles, isChartFile } from './charts/specs.ts';
import { readReproduceResults, readResults, RESULTS, ROOT } from './resultFiles.ts';
import { runScript } from './runScript.ts';

await runScript(async () => {
  const folder = join(ROOT, RESULTS);
  const charts = new Map<string, string>();
  const all = [
    ...readResults().flatMap(({ name, result }) => chartFiles(name, result)),
    ...readReproduceResults().flatMap(({ name, result }) => reproduceChartFiles(name, result)),
  ];
  for (const { file, spec } of all) charts.set(file, await renderSvg(spec));
  for (const [file, svg] of charts) {
    await writeOutput(join(folder, file), [svg]);
    process.stdout.write(`${RESULTS}/${file}\n`);
  }
  const isChart = (file: string) =>
    isChartFile(file) || FIGURES.some((figure) => file.endsWith(`.${figure}.svg`));
  const gone = readdirSync(folder).filter((file) => isChart(file) && !charts.has(file));
  for (const file of gone) rmSync(join(folder, file));
});
