// draw.ts: draws a chart with Observable Plot. Loaded with the first chart, for the library is large.
import {
  axisX,
  axisY,
  dot,
  gridX,
  gridY,
  lineY,
  plot,
  ruleX,
  ruleY,
  text,
  type Markish,
} from '@observablehq/plot';
import { levelExtent, textWidth, uprightExtent, valuesOf, type Extent } from './extent.ts';
import { looksOf, type Look } from './looks.ts';
import type { ChartSpec, Point, Series } from './spec.ts';

/** Room around the plot for titles of the axes and for half a tick's text, in px. */
const MARGIN = { top: 28, right: 22, bottom: 40, left: 12 };

/** Between an axis and the nearest of its values, in px. */
const INSET = 10;

/** Dots are smaller where a line has more of them than this. */
const MANY = 24;

/** In px. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Draws a chart as SVG of this size. Colours are variables of the page, so it follows them without being drawn again. */
export function drawChart(spec: ChartSpec, { width, height }: Size): SVGSVGElement {
  checkLogValues(spec);
  const xs = valuesOf(spec, 'x');
  const isEmpty = xs.length === 0;
  const y = uprightExtent(spec.y, isEmpty ? [1] : valuesOf(spec, 'y'), height - MARGIN.top - MARGIN.bottom);
  const marginLeft = MARGIN.left + Math.max(...y.ticks.map((tick) => textWidth(spec.y.format(tick))));
  const x = levelExtent(spec.x, isEmpty ? [1] : xs, width - marginLeft - MARGIN.right - 2 * INSET);
  const svg = plot({
    className: 'chart-svg',
    ariaLabel: `${spec.title}. ${spec.caption}`,
    width,
    height,
    marginTop: MARGIN.top,
    marginRight: MARGIN.right,
    marginBottom: MARGIN.bottom,
    marginLeft,
    x: { ...scaleOf(spec.x.scale, x), axis: null, inset: INSET },
    y: { ...scaleOf(spec.y.scale, y), axis: null },
    marks: [...(isEmpty ? [waiting()] : axes(spec, x, y)), ...marksOf(spec)],
  }) as SVGSVGElement;
  svg.setAttribute('role', 'img');
  // The library's own style, which charts.css has instead: a strict policy refuses styles that stand in the page.
  svg.querySelector('style')?.remove();
  // Its parts have names as well, "line" and "rule", which are of no use to anybody.
  for (const part of svg.querySelectorAll('[aria-label]')) part.removeAttribute('aria-label');
  return svg;
}

function checkLogValues(spec: ChartSpec): void {
  for (const name of ['x', 'y'] as const) {
    const bad = valuesOf(spec, name).find((value) => !(spec[name].scale === 'log2' ? value > 0 : true));
    if (bad !== undefined)
      throw new Error(`${spec[name].label}: a logarithmic axis takes values above 0, got ${bad}`);
  }
}

function scaleOf(scale: 'linear' | 'log2', { domain }: Extent) {
  return {
    ...(scale === 'log2' ? { type: 'log' as const, base: 2 } : { type: 'linear' as const }),
    domain: [...domain],
  };
}

function waiting(): Markish {
  return text(['No values yet'], { frameAnchor: 'middle', className: 'chart-waiting' });
}

function axes(spec: ChartSpec, x: Extent, y: Extent): Markish[] {
  const common = { tickSize: 0, labelArrow: 'none' as const };
  return [
    gridX([...x.ticks], { className: 'chart-grid', strokeOpacity: 1 }),
    gridY([...y.ticks], { className: 'chart-grid', strokeOpacity: 1 }),
    axisX([...x.ticks], { ...common, tickFormat: spec.x.format, label: spec.x.label, labelAnchor: 'right' }),
    axisY([...y.ticks], {
      ...common,
      tickFormat: spec.y.format,
      label: `${spec.y.label}${spec.y.scale === 'log2' ? ' (log scale)' : ''}`,
      labelAnchor: 'top',
    }),
  ];
}

/** Lines below, then intervals, then dots, so that none hides a dot. */
function marksOf(spec: ChartSpec): Markish[] {
  const looks = looksOf(spec);
  const all = spec.series.map((series, i) => ({ series, look: looks[i]!, points: sorted(series) }));
  return [
    ...all.map(({ series, look, points }) => line(series, look, points)),
    ...all.flatMap(({ series, look, points }) => (series.kind === 'measured' ? [bars(look, points)] : [])),
    ...all.flatMap(({ series, look, points }) =>
      series.kind === 'measured' ? [dots(spec, series, look, points)] : [],
    ),
  ];
}

function sorted({ points }: Series): Point[] {
  return points.toSorted((a, b) => a.x - b.x);
}

function line({ kind }: Series, { colour, dashes }: Look, points: readonly Point[]): Markish {
  const pen = { stroke: colour, strokeWidth: 2, ...(dashes !== undefined && { strokeDasharray: dashes }) };
  if (kind === 'limit') return ruleY(points.slice(0, 1), { y: 'y', ...pen });
  return lineY(points, { x: 'x', y: 'y', ...pen });
}

function bars({ colour }: Look, points: readonly Point[]): Markish {
  const known = points.filter(({ low, high }) => low !== undefined && high !== undefined);
  return ruleX(known, { x: 'x', y1: 'low', y2: 'high', stroke: colour, strokeWidth: 1.5, marker: 'tick' });
}

function dots(
  { x, y }: ChartSpec,
  { name }: Series,
  { colour, symbol }: Look,
  points: readonly Point[],
): Markish {
  return dot(points, {
    x: 'x',
    y: 'y',
    symbol: symbol!,
    r: points.length > MANY ? 2.5 : 4.5,
    fill: colour,
    stroke: 'var(--surface)',
    strokeWidth: 1,
    title: (point: Point) => `${name}\n${x.label}: ${x.format(point.x)}\n${y.label}: ${y.format(point.y)}`,
  });
}
