// figures.ts: the figures of `gqa reproduce` as SVG files in a folder.
import { join } from 'node:path';
import { FIGURES, reproduceCharts, type FigureChart } from '../../bench/reproduce/charts.ts';
import type { ReproduceResult } from '../../bench/schema/reproduceSchema.ts';
import { checkOutputOption, writeOutputOption } from '../../src/node/command/outputOption.ts';

const OPTION = '--charts';

const fileOf = (folder: string, figure: FigureChart['figure']) => join(folder, `${figure}.svg`);

/** Throws before any work is done when one of the files could not be written. */
export async function checkFigures(folder: string): Promise<void> {
  for (const figure of FIGURES) await checkOutputOption(OPTION, fileOf(folder, figure));
}

/** Draws all of them, then writes each whole or not at all; returns the files. Throws GqaError `output`. */
export async function writeFigures(folder: string, result: ReproduceResult): Promise<string[]> {
  // Large, and needed here alone.
  const { renderSvg } = await import('../../bench/charts/render.ts');
  const drawn: [file: string, svg: string][] = [];
  for (const { figure, spec } of reproduceCharts(result))
    drawn.push([fileOf(folder, figure), await renderSvg(spec)]);
  for (const [file, svg] of drawn) await writeOutputOption(OPTION, file, svg);
  return drawn.map(([file]) => file);
}
