// reproduceFiles.ts: the charts of a result of `gqa reproduce`, beside the result that is called so.
import { reproduceCharts } from '../../bench/reproduce/charts.ts';
import type { ReproduceResult } from '../../bench/schema/reproduceSchema.ts';
import type { Chart } from './specs.ts';

/** The charts of the result that is called `name`. */
export function reproduceChartFiles(name: string, result: ReproduceResult): Omit<Chart, 'title'>[] {
  return reproduceCharts(result).map(({ figure, spec }) => ({ file: `${name}.${figure}.svg`, spec }));
}
