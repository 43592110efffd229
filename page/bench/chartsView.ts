// chartsView.ts: the charts of rows on the page, in room that they have from the start.
import { benchCharts, waitingTimeChart } from '../charts/benchCharts.ts';
import { LiveChart } from '../charts/chart.ts';
import type { ChartSpec } from '../charts/spec.ts';
import { byId } from '../shell/dom.ts';
import type { Place } from './fits.ts';
import type { Draw, Shown } from './results.ts';

/** Shows the charts of finished rows; before there are any the first one, empty. */
export function chartsView({ software }: Place): Draw {
  const charts: LiveChart[] = [];
  let last = '';
  return ({ groups, rows, ceiling }) => {
    const specs = ceiling ? benchCharts({ rows, ceiling, software }) : [];
    const shown = specs.length > 0 ? specs : [waitingTimeChart(groups.map(loadOf), software)];
    // Several contexts get a second chart when two of them are finished.
    byId('charts').dataset.columns = groups.length > 1 ? '2' : '1';
    // Most of what happens in a run changes no finished row.
    const text = JSON.stringify(shown);
    if (text === last) return;
    last = text;
    showCharts(charts, shown);
  };
}

/** The name that a group's line will have. */
function loadOf([first]: Shown['groups'][number]): string {
  const { requests, depth } = first!;
  return requests ?? `${depth.toLocaleString('en-US')} tokens`;
}

/** Draws specs in the charts that there are, and adds or takes away charts as it needs. */
function showCharts(charts: LiveChart[], specs: readonly ChartSpec[]): void {
  for (const [i, spec] of specs.entries()) {
    if (charts[i]) charts[i].update(spec);
    else charts.push(new LiveChart(spec));
  }
  charts.length = specs.length;
  const elements = charts.map(({ element }) => element);
  const root = byId('charts');
  if (elements.length !== root.children.length || elements.some((element, i) => root.children[i] !== element))
    root.replaceChildren(...elements);
}
