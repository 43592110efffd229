// figures.ts: the paper's figures 4, 5 and 6 as charts, of a result of `gqa reproduce`. No DOM.
import {
  controlLosses,
  linesOf,
  mainAlpha,
  originalLoss,
  type Spread,
} from '../../bench/reproduce/figures.ts';
import type { ReproduceResult } from '../../bench/schema/reproduceSchema.ts';
import { formatSignificant, plural } from '../../bench/text/format.ts';
import type { Axis, ChartSpec, Point, Series } from '../charts/chart.ts';
import { NATS } from './curves.ts';

const KV_HEADS: Axis = { label: 'KV heads', scale: 'log2', format: (value) => String(value) };

/** The charts of a result; a figure that was not measured is left out. */
export function figureCharts(result: ReproduceResult): ChartSpec[] {
  return [figure4(result), figure5(result), ...(result.decode ? [figure6(result)] : [])];
}

/** Methods beside each other, after the same further training. */
function figure4(result: ReproduceResult): ChartSpec {
  const alpha = mainAlpha(result);
  const lines = linesOf(result);
  const at = (points: readonly (Spread & { alpha: number })[]) =>
    points.find((point) => point.alpha === alpha)!;
  const series = [...new Set(lines.map(({ method }) => method))].map((name): Series => ({
    name,
    kind: 'measured',
    points: lines
      .filter(({ method }) => method === name)
      .map(({ kvHeads, points }) => pointAt(kvHeads, at(points))),
  }));
  const control = pointAt(result.params.model.heads, at(controlLosses(result)));
  return {
    title: `Figure 4: what each method leaves after ${percentText(100 * alpha)} of the steps`,
    caption: `Lower is better; the level line is the multi-head model trained on as long. ${seedsText(result)}`,
    fileName: 'gqa-lab-figure4',
    x: KV_HEADS,
    y: NATS,
    series: [...series, { name: 'multi-head', kind: 'limit', points: [control] }],
  };
}

/** What more training gives back, of the methods that the paper and this project have as their own. */
function figure5(result: ReproduceResult): ChartSpec {
  const all = linesOf(result);
  const usual = all.filter(({ method }) => method === 'mean' || method === 'pca');
  const lines = (usual.length > 0 ? usual : all).map(({ kvHeads, method, points }): Series => ({
    name: `${plural(kvHeads, 'KV head')}, ${method}`,
    kind: 'measured',
    points: points.map((point) => pointAt(100 * point.alpha, point)),
  }));
  const control = controlLosses(result).map((point) => pointAt(100 * point.alpha, point));
  return {
    title: 'Figure 5: losses by the share of the steps that are trained further',
    caption: `The level line is the multi-head model before. ${seedsText(result)}`,
    fileName: 'gqa-lab-figure5',
    x: { label: 'alpha, % of the original steps', scale: 'linear', format: (value) => percentNumber(value) },
    y: NATS,
    series: [
      ...lines,
      { name: 'multi-head, trained on', kind: 'measured', points: control },
      { name: 'multi-head, before', kind: 'limit', points: [pointAt(0, originalLoss(result))] },
    ],
  };
}

/** The fewer heads, the less a step reads. */
function figure6({ decode = [], context }: ReproduceResult): ChartSpec {
  const points = decode.flatMap(({ kvHeads, stepNs }) =>
    stepNs === null ? [] : [{ x: kvHeads, y: stepNs / 1000 }],
  );
  const depth = decode[0]!.depth.toLocaleString('en');
  const software = context.software ? ' A software adapter is limited by arithmetic and not by memory.' : '';
  return {
    title: 'Figure 6: time of a decode step by KV heads',
    caption: `Of the first seed’s model, over ${depth} tokens.${software}`,
    fileName: 'gqa-lab-figure6',
    x: KV_HEADS,
    y: { label: 'µs', scale: 'linear', format: (value) => formatSignificant(value, 3) },
    series: [{ name: 'a decode step', kind: 'measured', points }],
  };
}

function pointAt(x: number, { mean, least, most }: Spread): Point {
  return least === most ? { x, y: mean } : { x, y: mean, low: least, high: most };
}

function seedsText({ runs }: ReproduceResult): string {
  if (runs.length === 1) return 'Of a single seed: another one gives other losses.';
  return `Points are means of ${plural(runs.length, 'seed')}, lines the least and the most.`;
}

function percentNumber(value: number): string {
  return String(Number(value.toFixed(2)));
}

function percentText(value: number): string {
  return `${percentNumber(value)} %`;
}
