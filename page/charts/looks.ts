// looks.ts: how each series of a chart is drawn: its colour, and the shape or the dashes that tell it apart without colour.
import type { ChartSpec } from './spec.ts';

/** Shapes of dots, by the names of the library. */
const SYMBOLS = ['circle', 'square', 'triangle', 'diamond', 'star', 'cross', 'wye', 'hexagon'] as const;

const DASHES = { ideal: ['5 4'], limit: ['10 3 2 3', '2 3'] } as const;

export interface Look {
  /** A colour that CSS knows: a variable of charts.css. */
  readonly colour: string;
  /** Of the dots; none without dots. */
  readonly symbol?: (typeof SYMBOLS)[number];
  /** Of the line; none where it is solid. */
  readonly dashes?: string;
}

/** The looks of a chart's series, in their order. */
export function looksOf({ series }: ChartSpec): Look[] {
  const measured = series.filter(({ kind }) => kind === 'measured').map(({ name }) => name);
  const colourOf = (at: number) => `var(--series-${1 + (at % SYMBOLS.length)})`;
  return series.map(({ kind, name, of }) => {
    if (kind === 'measured') {
      const at = measured.indexOf(name);
      return { colour: colourOf(at), symbol: SYMBOLS[at % SYMBOLS.length]! };
    }
    const owner = of === undefined ? -1 : measured.indexOf(of);
    const alike = series.filter((each) => each.kind === kind).findIndex((each) => each.name === name);
    return {
      colour: kind === 'limit' ? 'var(--series-limit)' : owner < 0 ? 'var(--muted)' : colourOf(owner),
      dashes: DASHES[kind][alike % DASHES[kind].length]!,
    };
  });
}

/** What the legend has: a line each. Ideals that have the colours of their series are explained once for all. */
export function legendEntries(spec: ChartSpec): { look: Look; text: string }[] {
  const looks = looksOf(spec);
  const owned = spec.series.filter(({ of }) => of !== undefined);
  return spec.series.flatMap((series, i) => {
    const { kind, name, points } = series;
    if (owned.length > 1 && series.of !== undefined) {
      const look = { ...looks[i]!, colour: 'var(--muted)' };
      return series === owned[0] ? [{ look, text: 'ideal, in the colour of its line' }] : [];
    }
    const text = kind === 'limit' && points[0] ? `${name}: ${spec.y.format(points[0].y)}` : name;
    return [{ look: looks[i]!, text }];
  });
}
