// chart.ts: a chart as a figure: drawn, described, and as a table for those who read instead.
import type { Markish } from '@observablehq/plot';
import { el } from '../shell/dom.ts';

/** A measured or computed value at a place, with the ends of its interval where it has one. */
export interface Point {
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
}

/** Points of one name. */
export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  /** `measured`: dots joined by a line; `ideal`: a dashed line; `limit`: a level line at the first point's y. */
  readonly kind: 'measured' | 'ideal' | 'limit';
}

export interface Axis {
  readonly label: string;
  readonly scale: 'linear' | 'log2';
  /** How a value of it is written. */
  readonly format: (value: number) => string;
}

export interface ChartSpec {
  readonly title: string;
  /** One sentence: what to see. */
  readonly caption: string;
  /** Name of a saved file, without its ending. */
  readonly fileName: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

/** Draws a chart. The library is loaded with the first of them. */
export async function chartFigure(spec: ChartSpec): Promise<HTMLElement> {
  const { plot, lineY, dot, ruleY, gridX, gridY } = await import('@observablehq/plot');
  const marks: Markish[] = [gridX(), gridY()];
  for (const { name, points, kind } of spec.series) {
    const rows = points.map((point) => ({ ...point, name }));
    if (kind === 'limit') marks.push(ruleY(rows.slice(0, 1), { y: 'y', stroke: 'name' }));
    else
      marks.push(
        lineY(rows, { x: 'x', y: 'y', stroke: 'name', ...(kind === 'ideal' && { strokeDasharray: '4 3' }) }),
      );
    if (kind === 'measured') marks.push(dot(rows, { x: 'x', y: 'y', fill: 'name' }));
  }
  const svg = plot({ marks, x: { label: spec.x.label }, y: { label: spec.y.label } });
  return el('figure', { class: 'chart' }, el('figcaption', {}, spec.title), svg);
}
