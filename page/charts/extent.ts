// extent.ts: where an axis begins and ends, and which of its values are written beside it. Pure.
import type { Axis, ChartSpec } from './spec.ts';

export interface Extent {
  readonly domain: readonly [low: number, high: number];
  readonly ticks: readonly number[];
}

/** Width of a character of a tick's text, and the least space between two of them, in px. */
const CHARACTER = 7;
const GAP = 14;

/** Least distance of two ticks of the upright axis, in px. */
const LINE = 44;

/** Width of the text of a tick, in px. */
export function textWidth(text: string): number {
  return text.length * CHARACTER;
}

/** All values that an axis has to reach: those of points, and of y the ends of their intervals too. */
export function valuesOf({ series }: ChartSpec, of: 'x' | 'y'): number[] {
  return series.flatMap(({ kind, points }) => {
    if (kind === 'limit') return of === 'x' ? [] : points.slice(0, 1).map(({ y }) => y);
    return points.flatMap(({ x, y, low = y, high = y }) => (of === 'x' ? [x] : [y, low, high]));
  });
}

/** The upright axis over these values, on so many px: ends at ticks, so that no value lies on the border. */
export function uprightExtent(axis: Axis, values: readonly number[], height: number): Extent {
  const room = Math.max(2, Math.floor(height / LINE));
  const ends = endsOf(axis, values);
  const ticks = axis.scale === 'log2' ? powers(ends, room) : rounds(ends, room);
  return { domain: [ticks[0]!, ticks.at(-1)!], ticks: distinct(axis, ticks) };
}

/** The level axis over these values, on so many px: ends at its values, with ticks at each of them where there is room. */
export function levelExtent(axis: Axis, values: readonly number[], width: number): Extent {
  const ends = endsOf(axis, values);
  const wide = (ticks: readonly number[]) =>
    Math.max(...ticks.map((tick) => textWidth(axis.format(tick)))) + GAP;
  if (axis.scale === 'log2') {
    const own = [...new Set(values)].toSorted((a, b) => a - b);
    const pixels = width / Math.log2(ends[1] / ends[0]);
    const isApart = (tick: number, i: number) =>
      i === 0 || pixels * Math.log2(tick / own[i - 1]!) >= wide(own);
    if (own.length > 0 && own.every(isApart)) return { domain: ends, ticks: own };
  }
  const ticksFor = (room: number) => (axis.scale === 'log2' ? powers(ends, room) : rounds(ends, room));
  const room = Math.max(2, Math.floor(width / wide(ticksFor(8))));
  const ticks = ticksFor(room).filter((tick) => tick >= ends[0] && tick <= ends[1]);
  return { domain: ends, ticks: distinct(axis, ticks) };
}

/** The least and the largest value, apart. */
function endsOf({ scale, fromZero = true }: Axis, values: readonly number[]): [low: number, high: number] {
  if (scale === 'log2') {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return low < high ? [low, high] : [low / 2, high * 2];
  }
  const all = fromZero ? [0, ...values] : values;
  const [low, high] = [Math.min(...all), Math.max(...all)];
  if (low < high) return [low, high];
  return fromZero ? [low, low + 1] : [low - 1, high + 1];
}

/** Ticks that can be told apart by their texts: the ends alone where the axis writes values too coarsely for those between. */
function distinct({ format }: Axis, ticks: readonly number[]): number[] {
  const isTold = new Set(ticks.map(format)).size === ticks.length;
  return isTold ? [...ticks] : [ticks[0]!, ticks.at(-1)!];
}

/** Powers of two from at or below `low` to at or above `high`, every so many of them that there are few enough. */
function powers([low, high]: readonly [number, number], room: number): number[] {
  const [first, last] = [Math.floor(Math.log2(low)), Math.ceil(Math.log2(high))];
  const step = Math.max(1, Math.ceil((last - first) / room));
  const count = Math.ceil((last - first) / step);
  return Array.from({ length: count + 1 }, (_, i) => 2 ** (first + i * step));
}

/** Multiples of 1, 2 or 5 times a power of ten, from at or below `low` to at or above `high`. */
function rounds([low, high]: readonly [number, number], room: number): number[] {
  const least = (high - low) / room;
  const ten = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((factor) => factor * ten).find((each) => each >= least * (1 - 1e-9))!;
  const [first, last] = [Math.floor(low / step + 1e-9), Math.ceil(high / step - 1e-9)];
  // Not as a sum of steps, which would not end at round values.
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
