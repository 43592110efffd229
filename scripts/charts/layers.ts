// layers.ts: the marks of one picture, from back to front: ceiling, ideal lines, intervals, lines, points, names.
import { formatSignificant } from '../../bench/text/format.ts';
import { linesOf, type Point } from '../../bench/report/series.ts';
import { LINES, NEUTRAL, PAGE } from './theme.ts';

/** An end of a dashed line. */
export type Line = Pick<Point, 'line' | 'x' | 'y'>;

/** What is drawn. */
export interface Drawn {
  readonly points: readonly Point[];
  readonly ideal: readonly Line[];
  readonly ceiling: number | undefined;
  /** Height of a pixel on the y axis, in natural logarithms. */
  readonly pixel: number;
}

/** Layers of Vega-Lite. */
export function layersOf({ points, ideal, ceiling, pixel }: Drawn): object[] {
  const names = linesOf(points);
  const range = names.map((_, i) => LINES[i % LINES.length]);
  const color = { field: 'line', type: 'nominal', scale: { domain: names, range }, legend: null };
  const data = { values: points };
  const bars = { color, y: { field: 'low' }, y2: { field: 'high' } };
  return [
    ...(ceiling === undefined ? [] : ceilingLayers(ceiling)),
    { data: { values: ideal }, mark: { type: 'line', ...DASHED }, encoding: { color } },
    { data, mark: { type: 'rule', strokeWidth: 1.25, opacity: 0.6 }, encoding: bars },
    { data, mark: { type: 'line', strokeWidth: 2 }, encoding: { color } },
    { data, mark: { type: 'point', filled: true, size: 45, opacity: 1 }, encoding: { color } },
    {
      data: { values: nameEnds(points, pixel) },
      mark: { type: 'text', align: 'left', baseline: 'middle', dx: 10, fontSize: 12 },
      encoding: { color, text: { field: 'line' } },
    },
  ];
}

const DASHED = { strokeDash: [4, 4], strokeWidth: 1.25, opacity: 0.7 };

function ceilingLayers(readGBps: number): object[] {
  const text = `read ceiling, measured in the same run: ${formatSignificant(readGBps, 3)} GB/s`;
  const data = { values: [{ y: readGBps, text }] };
  const words = {
    type: 'text',
    align: 'left',
    baseline: 'bottom',
    x: 4,
    dy: -5,
    color: NEUTRAL,
    fontSize: 12,
  };
  return [
    { data, mark: { type: 'rule', ...DASHED, color: NEUTRAL }, encoding: { x: null } },
    // A rim of the page's colour keeps grid lines off the words.
    {
      data,
      mark: { ...words, stroke: PAGE, strokeWidth: 5 },
      encoding: { x: null, text: { field: 'text' } },
    },
    { data, mark: words, encoding: { x: null, text: { field: 'text' } } },
  ];
}

/** Pixels between the names of two lines. */
const NAME_GAP = 15;

/** Where the lines' names stand: at their ends, moved down where they would lie on one another. */
function nameEnds(points: readonly Point[], pixel: number): Line[] {
  const last = linesOf(points).map((line) => points.findLast((point) => point.line === line)!);
  const ends = last.toSorted((a, b) => b.y - a.y);
  const heights = apart(
    ends.map(({ y }) => Math.log(y)),
    NAME_GAP * pixel,
  );
  return ends.map(({ line, x }, i) => ({ line, x, y: Math.exp(heights[i]!) }));
}

/** Falling values, moved down where they must be to lie `gap` apart. */
export function apart(falling: readonly number[], gap: number): number[] {
  const moved: number[] = [];
  for (const value of falling) moved.push(Math.min(value, (moved.at(-1) ?? Infinity) - gap));
  return moved;
}

const MOST_TICKS = 12;

/** 1, 2 and 5 times powers of ten between two values; powers of ten alone where that would be crowded. */
export function ticks(low: number, high: number): number[] {
  const fine = multiples([1, 2, 5], low, high);
  return fine.length > MOST_TICKS ? multiples([1], low, high) : fine;
}

function multiples(digits: readonly number[], low: number, high: number): number[] {
  const values: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const digit of digits) values.push(Number(`${digit}e${power}`));
  }
  return values.filter((value) => low <= value && value <= high);
}
