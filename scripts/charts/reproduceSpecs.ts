// reproduceSpecs.ts: the charts of a result of `gqa reproduce` in Vega-Lite: the paper's figures 4, 5 and 6.
import type { TopLevelSpec } from 'vega-lite';
import { controlLosses, linesOf, mainAlpha, originalLoss } from '../../bench/reproduce/figures.ts';
import type { ReproduceResult } from '../../bench/schema/reproduceSchema.ts';
import { plural } from '../../bench/text/format.ts';
import type { Chart } from './specs.ts';
import { CONFIG, LINES, NEUTRAL } from './theme.ts';

/** Kinds of these charts, which end the names of their files. */
export const REPRODUCE_KINDS = ['figure4', 'figure5', 'figure6'] as const;

const SIZE = { width: 420, height: 240 };

/** The charts of the result that is called `name`; a figure that was not measured is left out. */
export function reproduceCharts(name: string, result: ReproduceResult): Chart[] {
  const specs = [figure4(result), figure5(result), ...(result.decode ? [figure6(result)] : [])];
  return specs.map(({ title, explained, ...picture }, i) => ({
    file: `${name}.${REPRODUCE_KINDS[i]}.svg`,
    title,
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
    title: `Figure 4: what each method leaves after ${100 * alpha} % of the steps`,
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

/** Losses of the conversion by `mean` against alpha, and the model that was not converted. */
function figure5(result: ReproduceResult): Figure {
  const lines = linesOf(result).filter(({ method }) => method === 'mean' || method === 'pca');
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
      percent: 100 * point.alpha,
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

function caption({ context, params, runs }: ReproduceResult): string {
  const { layers, dim, heads } = params.model;
  const software = context.software ? ', software' : '';
  return `${layers} layers of ${dim}, ${heads} heads, ${params.steps} steps, ${plural(runs.length, 'seed')}; on ${context.adapter}${software}`;
}
