// charts.ts: the GQA paper's figures 4, 5 and 6 out of a result, in Vega-Lite.
import type { TopLevelSpec } from 'vega-lite';
import { CONFIG, LINES, NEUTRAL } from '../charts/theme.ts';
import type { ReproduceResult } from '../schema/reproduceSchema.ts';
import { plural } from '../text/format.ts';
import { controlLosses, linesOf, mainAlpha, originalLoss, type Line } from './figures.ts';

/** The figures, by which their files are called. */
export const FIGURES = ['figure4', 'figure5', 'figure6'] as const;

/** A figure as it is drawn. */
export interface FigureChart {
  readonly figure: (typeof FIGURES)[number];
  readonly spec: TopLevelSpec;
}

const SIZE = { width: 420, height: 240 };

/** Its figures; one that was not measured is left out. */
export function reproduceCharts(result: ReproduceResult): FigureChart[] {
  const isTimed = result.decode?.some(({ stepNs }) => stepNs !== null) ?? false;
  const figures = [figure4(result), figure5(result), ...(isTimed ? [figure6(result)] : [])];
  return figures.map(({ title, explained, ...picture }, i) => ({
    figure: FIGURES[i]!,
    // Vega-Lite's types are not made for exactOptionalPropertyTypes.
    spec: {
      config: CONFIG,
      description: `${title}. ${explained}`,
      title: { text: title, subtitle: [caption(result), explained] },
      ...picture,
    } as unknown as TopLevelSpec,
  }));
}

interface Figure {
  /** What of the picture differs. */
  readonly [field: string]: unknown;
  readonly title: string;
  readonly explained: string;
}

/** Methods side by side, for each number of KV heads, after the same further training. */
function figure4(result: ReproduceResult): Figure {
  const alpha = mainAlpha(result);
  const values = linesOf(result).map(({ kvHeads, method, points }) => ({
    method,
    heads: plural(kvHeads, 'KV head'),
    ...points.find((point) => point.alpha === alpha)!,
  }));
  const methods = [...new Set(values.map(({ method }) => method))];
  const x = { field: 'method', type: 'nominal', sort: methods, title: null, axis: { labelAngle: 0 } };
  const y = { type: 'quantitative', scale: { zero: false }, title: 'nats a token' };
  const color = { field: 'method', type: 'nominal', scale: { domain: methods, range: LINES }, legend: null };
  return {
    title: `Figure 4: what each method leaves after ${percentOf(alpha)} % of the steps`,
    explained: 'Points are means over seeds, lines the least and the most. Lower is better.',
    facet: {
      column: {
        field: 'heads',
        type: 'nominal',
        title: null,
        sort: [...new Set(values.map(({ heads }) => heads))],
      },
    },
    data: { values },
    spec: {
      width: 260,
      height: 240,
      layer: [
        {
          mark: { type: 'rule', strokeWidth: 1.5 },
          encoding: { x, color, y: { ...y, field: 'least' }, y2: { field: 'most' } },
        },
        {
          mark: { type: 'point', filled: true, size: 70, opacity: 1 },
          encoding: { x, color, y: { ...y, field: 'mean' } },
        },
      ],
    },
  };
}

/** The paper's method and the one that costs least: those of all would hide each other. */
function drawnLines(result: ReproduceResult): Line[] {
  const all = linesOf(result);
  const two = all.filter(({ method }) => method === 'mean' || method === 'pca');
  return two.length > 0 ? two : all;
}

/** Losses of conversions against alpha, and of the model that was not converted. */
function figure5(result: ReproduceResult): Figure {
  const lines = drawnLines(result);
  const named = [
    ...lines.map(({ kvHeads, method, points }) => ({
      line: `${plural(kvHeads, 'KV head')}, ${method}`,
      points,
    })),
    { line: 'multi-head, trained on', points: controlLosses(result) },
  ];
  const values = named.flatMap(({ line, points }) =>
    points.map((point) => ({
      line,
      percent: percentOf(point.alpha),
      mean: point.mean,
      least: point.least,
      most: point.most,
    })),
  );
  const x = { field: 'percent', type: 'quantitative', title: 'alpha, % of the original steps' };
  const y = { type: 'quantitative', scale: { zero: false }, title: 'nats a token' };
  const domain = named.map(({ line }) => line);
  const color = {
    field: 'line',
    type: 'nominal',
    scale: { domain, range: LINES },
    title: null,
    legend: { symbolType: 'circle', symbolOpacity: 1 },
  };
  return {
    title: 'Figure 5: losses by the share of the steps that are trained further',
    explained: 'Lines are means over seeds, bands the least and the most; dashed: multi-head, before.',
    ...SIZE,
    data: { values },
    layer: [
      {
        data: { values: [{ y: originalLoss(result).mean }] },
        mark: { type: 'rule', strokeDash: [4, 4], color: NEUTRAL },
        encoding: { y: { field: 'y', type: 'quantitative' } },
      },
      {
        mark: { type: 'area', opacity: 0.15 },
        encoding: { x, color, y: { ...y, field: 'least' }, y2: { field: 'most' } },
      },
      {
        mark: { type: 'line', point: true, strokeWidth: 2 },
        encoding: { x, color, y: { ...y, field: 'mean' } },
      },
    ],
  };
}

/** Times of a decode step against KV heads. */
function figure6({ decode = [], context }: ReproduceResult): Figure {
  const values = decode.flatMap(({ kvHeads, stepNs }) =>
    stepNs === null ? [] : [{ kvHeads, us: stepNs / 1000 }],
  );
  return {
    title: 'Figure 6: time of a decode step by KV heads',
    explained: `Over ${decode[0]!.depth} tokens${context.software ? '; a software adapter, limited by arithmetic and not by memory' : ''}.`,
    ...SIZE,
    data: { values },
    mark: { type: 'line', point: { color: LINES[0] }, strokeWidth: 2, color: LINES[0] },
    encoding: {
      x: { field: 'kvHeads', type: 'ordinal', title: 'KV heads', axis: { labelAngle: 0 } },
      y: { field: 'us', type: 'quantitative', title: 'µs', scale: { zero: true } },
    },
  };
}

/** Without what the product adds: 7 and not 7.000000000000001. */
function percentOf(alpha: number): number {
  return Number((100 * alpha).toPrecision(12));
}

function caption({ context, params, runs }: ReproduceResult): string {
  const { layers, dim, heads } = params.model;
  const software = context.software ? ', software' : '';
  return `${plural(layers, 'layer')} of ${dim}, ${heads} heads, ${params.steps} steps, ${plural(runs.length, 'seed')}; on ${context.adapter}${software}`;
}
