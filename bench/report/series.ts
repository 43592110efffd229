// series.ts: the rows of a result as the points of charts: which belong on one picture, on one line, and in which order.
import { typesName } from '../../src/numbers/elements.ts';
import { stateOf } from './compare.ts';
import { variationText } from '../run/variations.ts';
import type { BenchResult, BenchRow, RowParams } from '../schema/schema.ts';
import { median, medianInterval } from '../schema/stats.ts';

/** A point of a line: where it stands, its value, and the 95 % interval of the value, nothing wide where there is none. */
export interface Point {
  readonly line: string;
  readonly x: number;
  readonly y: number;
  readonly low: number;
  readonly high: number;
}

/** Rows that differ in KV heads and in load only, and what sets them apart from the other pictures of the result. */
export interface Panel {
  readonly title: string;
  readonly rows: readonly BenchRow[];
}

/** The timed rows of a result, apart by element type, kernel, batch, capacity, cache state and what a row has beyond the standard step. */
export function panelsOf({ results }: Pick<BenchResult, 'results'>): Panel[] {
  const panels = new Map<string, BenchRow[]>();
  for (const row of results) {
    if (stateOf(row) !== 'timed') continue;
    const key = panelKey(row.params).join(' · ');
    panels.set(key, [...(panels.get(key) ?? []), row]);
  }
  return [...panels].map(([title, rows]) => ({ title, rows }));
}

/** What rows of one picture have in common, as words; the usual is left out. */
function panelKey(params: RowParams): string[] {
  const { heads, headDim, batch, requests, depth, capacity, kType, vType, kernel, cache } = params;
  const variation = variationText(params).slice(2);
  return [
    `${heads} query heads × ${headDim}`,
    typesName({ kType, vType }, (k, v) => `K ${k}, V ${v}`),
    ...(batch > 1 && requests === undefined ? [`batch ${batch}`] : []),
    ...(capacity === depth ? [] : [`capacity ${capacity}`]),
    ...(kernel === 'auto' ? [] : [kernel]),
    ...(cache === 'hot' ? ['hot caches'] : []),
    ...(params.prompt === undefined ? [] : ['prompts']),
    ...(variation === '' ? [] : [variation]),
  ];
}

/** Microseconds against KV heads, a line per load. */
export function timePoints({ rows }: Panel): Point[] {
  return sorted(
    rows.map((row) => ({
      line: row.params.requests ?? `${row.params.depth.toLocaleString('en-US')} tokens`,
      x: row.params.kvHeads,
      ...scaled(row, (ns) => ns / 1000),
    })),
  );
}

/**
 * Both ends of what each line would be if time shrank as KV heads do, from its MHA point on. A line without one, or whose
 * MHA row did not settle, has no ideal.
 */
export function idealLines({ title, rows }: Panel): Pick<Point, 'line' | 'x' | 'y'>[] {
  const points = timePoints({ title, rows });
  const bases = rows.filter(
    ({ params, warnings }) => params.kvHeads === params.heads && !warnings.includes('noisy'),
  );
  return timePoints({ title, rows: bases }).flatMap(({ line, x, y }) => {
    const fewest = points.find((point) => point.line === line)!;
    if (fewest.x === x) return [];
    return [
      { line, x: fewest.x, y: (y * fewest.x) / x },
      { line, x, y },
    ];
  });
}

/** Decimal GB/s of K and V against tokens, a line per number of KV heads. Hot rows and ragged batches have no place there. */
export function bandwidthPoints({ rows }: Panel): Point[] {
  const fitting = rows.filter((row) => row.cold && row.params.requests === undefined);
  return sorted(
    fitting.map((row) => ({
      line: `${row.params.kvHeads} KV heads`.replace(/^1 KV heads$/, '1 KV head'),
      x: row.params.depth,
      ...scaled(row, (ns) => row.bytes.kvRead / ns),
    })),
  );
}

function scaled({ time }: BenchRow, of: (ns: number) => number): Pick<Point, 'y' | 'low' | 'high'> {
  const { samplesNs } = time!;
  const middle = median(samplesNs);
  const ends = (medianInterval(samplesNs) ?? [middle, middle]).map(of);
  return { y: of(middle), low: Math.min(...ends), high: Math.max(...ends) };
}

function sorted(points: readonly Point[]): Point[] {
  return points.toSorted((a, b) => a.x - b.x);
}

/** Whether any row has an interval to draw. */
export function hasInterval({ rows }: Panel): boolean {
  return rows.some(({ time }) => time && medianInterval(time.samplesNs) !== null);
}

/** Whether any line has two points. */
export function hasLine(points: readonly Point[]): boolean {
  return new Set(points.map(({ line }) => line)).size < points.length;
}

/** The lines of these points in the order of their first ones. */
export function linesOf(points: readonly Point[]): string[] {
  return [...new Set(points.map(({ line }) => line))];
}
