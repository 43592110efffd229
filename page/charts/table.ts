// table.ts: a chart's numbers as a table, for those who read instead.
import { el } from '../shell/dom.ts';
import type { ChartSpec, Point, Series } from './spec.ts';

/** A column for each series, a row for each place on the x axis; a limit is the same everywhere. */
export function tableOf(spec: ChartSpec): HTMLTableElement {
  const lines = spec.series.filter(({ kind }) => kind !== 'limit');
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(({ x }) => x)))].toSorted((a, b) => a - b);
  const heads = [spec.x.label, ...spec.series.map(({ name }) => name)];
  return el(
    'table',
    {},
    el('caption', {}, `${spec.y.label} by ${spec.x.label}`),
    el('thead', {}, el('tr', {}, ...heads.map((head) => el('th', { scope: 'col' }, head)))),
    el('tbody', {}, ...xs.map((x) => rowOf(spec, x))),
  );
}

function rowOf(spec: ChartSpec, x: number): HTMLTableRowElement {
  const cells = spec.series.map((series) => el('td', {}, cellText(spec, pointAt(series, x))));
  return el('tr', {}, el('th', { scope: 'row' }, spec.x.format(x)), ...cells);
}

function pointAt({ kind, points }: Series, x: number): Point | undefined {
  return kind === 'limit' ? points[0] : points.find((point) => point.x === x);
}

function cellText({ y: { format } }: ChartSpec, point: Point | undefined): string {
  if (!point) return '—';
  const { y, low, high } = point;
  return low === undefined || high === undefined
    ? format(y)
    : `${format(y)} (${format(low)} to ${format(high)})`;
}
