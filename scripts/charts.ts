// charts.ts: `npm run charts`, the SVG charts beside every result in bench/results. Charts of results that are gone go too.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeOutput } from '../src/files/outputFile.ts';
import { renderSvg } from './charts/render.ts';
import { chartFiles, isChartFile } from './charts/specs.ts';
import { readResults, RESULTS, ROOT } from './resultFiles.ts';
import { runScript } from './runScript.ts';

await runScript(async () => {
  const folder = join(ROOT, RESULTS);
  const charts = new Map<string, string>();
  for (const { name, result } of readResults()) {
    for (const { file, spec } of chartFiles(name, result)) charts.set(file, await renderSvg(spec));
  }
  for (const [file, svg] of charts) {
    await writeOutput(join(folder, file), [svg]);
    process.stdout.write(`${RESULTS}/${file}\n`);
  }
  const gone = readdirSync(folder).filter((file) => isChartFile(file) && !charts.has(file));
  for (const file of gone) rmSync(join(folder, file));
});
