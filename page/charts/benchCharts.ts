// benchCharts.ts: the charts of benchmark rows: time against KV heads, and bandwidth against length. Pure.
import {
  bandwidthPoints,
  hasLine,
  linesOf,
  panelsOf,
  timePoints,
  type Panel,
} from '../../bench/report/series.ts';
import { speedUp } from '../../bench/report/speedUp.ts';
import type { BenchRow, CeilingContext } from '../../bench/schema/schema.ts';
import { formatSignificant } from '../../bench/text/format.ts';
import type { Axis, ChartSpec, Point, Series } from './spec.ts';

/** Rows of one run, and what its device reads at most. */
export interface BenchRun {
  readonly rows: readonly BenchRow[];
  readonly ceiling: Pick<CeilingContext, 'readGBps'>;
  /** Whether the adapter is a software one: the captions say so then. */
  readonly software?: boolean;
}

const whole = (value: number) => value.toLocaleString('en-US');
const rough = (value: number) =>
  Number(formatSignificant(value, 3)).toLocaleString('en-US', { maximumFractionDigits: 9 });

const KV_HEADS: Axis = { label: 'KV heads', scale: 'log2', format: whole };
const TOKENS: Axis = { label: 'tokens in the cache', scale: 'log2', format: whole };
const MICROSECONDS: Axis = { label: 'µs per step and layer', scale: 'linear', format: rough };
const RATE: Axis = { label: 'GB/s of K and V', scale: 'linear', format: rough };

/**
 * The charts that rows have data for: a line needs two points. Rows that differ in more than KV heads and length are on
 * charts of their own; rows without a time are on none.
 */
export function benchCharts(run: BenchRun): ChartSpec[] {
  const panels = panelsOf({ results: [...run.rows] });
  return [timeChart, bandwidthChart].flatMap((chartOf) =>
    panels.flatMap((panel) => {
      const spec = chartOf(panel, run);
      return spec ? [named(spec, panel, panels)] : [];
    }),
  );
}

/** A title and a file name that are of this chart alone. */
function named(spec: ChartSpec, panel: Panel, panels: readonly Panel[]): ChartSpec {
  if (panels.length === 1) return spec;
  const at = panels.indexOf(panel) + 1;
  return { ...spec, title: `${spec.title}: ${panel.title}`, fileName: `${spec.fileName}-${at}` };
}

/** The GQA paper's figure 6 on this device. */
function timeChart(panel: Panel, { rows, software }: BenchRun): ChartSpec | undefined {
  const points = timePoints(panel);
  if (!hasLine(points)) return undefined;
  const lines = linesOf(points).map((name): TimeLine => {
    const ideal = idealPoints(rows, rowsOfLine(panel, name));
    return { name, measured: pointsOf(points, name), ...(ideal.length > 1 && { ideal }) };
  });
  return timeSpec(lines, software);
}

/** The same before any row has come, with the legend that it will have: `loads` are the names of its lines. */
export function waitingTimeChart(loads: readonly string[], software?: boolean): ChartSpec {
  return timeSpec(
    loads.map((name) => ({ name, measured: [], ideal: [] })),
    software,
  );
}

/** Times of one load, and what they would be if they shrank as the bytes do; no ideal where there is none. */
interface TimeLine {
  readonly name: string;
  readonly measured: readonly Point[];
  readonly ideal?: readonly Point[];
}

/** Several loads differ by magnitudes, so they share a logarithmic axis. */
function timeSpec(lines: readonly TimeLine[], software: boolean | undefined): ChartSpec {
  const hasIdeal = lines.some(({ ideal }) => ideal !== undefined);
  return {
    title: 'Time of a decode step against KV heads',
    caption: captionOf(
      hasIdeal
        ? 'Dashed: the MHA time, if it shrank as the bytes of K and V do.'
        : 'There is no MHA row that settled, and so no ideal.',
      software,
    ),
    fileName: 'time-against-kv-heads',
    x: KV_HEADS,
    y: { ...MICROSECONDS, scale: lines.length > 1 ? 'log2' : 'linear' },
    series: [
      ...lines.map(({ name, measured }): Series => ({ name, kind: 'measured', points: measured })),
      ...lines.flatMap(({ name, ideal }): Series[] =>
        ideal ? [{ name: `${name}, ideal`, kind: 'ideal', of: name, points: ideal }] : [],
      ),
    ],
  };
}

function bandwidthChart(panel: Panel, { ceiling, software }: BenchRun): ChartSpec | undefined {
  const points = bandwidthPoints(panel);
  if (!hasLine(points)) return undefined;
  return {
    title: 'Bandwidth against tokens in the cache',
    caption: captionOf(
      'Every byte of K and V is counted once, and set against what a read of memory alone reaches.',
      software,
    ),
    fileName: 'bandwidth-against-length',
    x: TOKENS,
    y: RATE,
    series: [
      ...linesOf(points).map((name): Series => ({ name, kind: 'measured', points: pointsOf(points, name) })),
      { name: 'read ceiling', kind: 'limit', points: [{ x: 0, y: ceiling.readGBps }] },
    ],
  };
}

/** The same whether rows have come or not, so that nothing moves when they do. */
function captionOf(text: string, software = false): string {
  const by = software ? ['SOFTWARE ADAPTER: these are times of a CPU, not of a GPU.'] : [];
  return [...by, text, 'Bars, where there are any: 95 % interval of the median.'].join(' ');
}

/** The points of one line; the ends of an interval only where there is one. */
function pointsOf(points: ReturnType<typeof timePoints>, name: string): Point[] {
  return points
    .filter(({ line }) => line === name)
    .map(({ x, y, low, high }) => (low < high ? { x, y, low, high } : { x, y }));
}

function rowsOfLine(panel: Panel, name: string): BenchRow[] {
  return panel.rows.filter((row) => timePoints({ ...panel, rows: [row] })[0]!.line === name);
}

/** What each row would take if its time were to the MHA row's as its bytes are; none where that one did not settle. */
function idealPoints(rows: readonly BenchRow[], line: readonly BenchRow[]): Point[] {
  const points = line.flatMap((row) => {
    const ratio = speedUp(rows, row);
    if (!ratio || ratio.baseline.warnings.includes('noisy')) return [];
    return [{ x: row.params.kvHeads, y: ratio.baseline.time!.median / ratio.ideal / 1000 }];
  });
  return points.toSorted((a, b) => a.x - b.x);
}
