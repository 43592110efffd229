// specs.ts: the two charts of a result in Vega-Lite: time against KV heads, and bandwidth against length; both log-log.
import type { TopLevelSpec } from 'vega-lite';
import type { BenchResult } from '../../bench/schema/schema.ts';
import { layersOf, ticks, type Line } from './layers.ts';
import {
  bandwidthPoints,
  hasInterval,
  hasLine,
  idealLines,
  panelsOf,
  timePoints,
  type Panel,
  type Point,
} from '../../bench/report/series.ts';
import { CONFIG } from './theme.ts';

/** What a chart says, and what it draws besides its points. */
interface Design {
  readonly title: string;
  /** What the dashed lines are, or what is counted. */
  readonly explained: string;
  readonly x: string;
  readonly y: string;
  readonly pointsOf: (panel: Panel) => Point[];
  readonly dashed: (panel: Panel) => Line[];
  /** Decimal GB/s. */
  readonly ceiling?: number;
}

/** A chart of a result, as `chartFiles` lists it. */
export interface Chart {
  /** Beside the result. */
  readonly file: string;
  readonly title: string;
  readonly spec: TopLevelSpec;
}

const KINDS: Readonly<Record<string, (result: BenchResult) => Design>> = {
  'kv-heads': () => ({
    title: 'Time of a decode step against KV heads',
    explained: 'Dashed: the ideal, time in proportion to KV heads, from an MHA row that settled.',
    x: 'KV heads',
    y: 'µs per step and layer',
    pointsOf: timePoints,
    dashed: idealLines,
  }),
  length: ({ context }) => ({
    title: 'K and V read per second against tokens in the cache',
    explained: 'Every byte of K and V counted once.',
    x: 'tokens in the cache',
    y: 'GB/s of K and V',
    pointsOf: bandwidthPoints,
    dashed: () => [],
    ceiling: context.ceiling.readGBps,
  }),
};

/** The charts of the result that is called `name`. A chart in which no line would have two points is left out. */
export function chartFiles(name: string, result: BenchResult): Chart[] {
  return Object.entries(KINDS).flatMap(([kind, designOf]): Chart[] => {
    const design = designOf(result);
    const spec = chart(result, design);
    return spec ? [{ file: `${name}.${kind}.svg`, title: design.title, spec }] : [];
  });
}

/** Whether a file of this name is a chart of some result. */
export function isChartFile(file: string): boolean {
  return Object.keys(KINDS).some((kind) => file.endsWith(`.${kind}.svg`));
}

interface Drawing {
  readonly panel: Panel;
  readonly points: readonly Point[];
  readonly ideal: readonly Line[];
}

function chart(result: BenchResult, design: Design): TopLevelSpec | undefined {
  const drawings = panelsOf(result)
    .map((panel): Drawing => ({ panel, points: design.pointsOf(panel), ideal: design.dashed(panel) }))
    .filter(({ points }) => hasLine(points));
  if (drawings.length === 0) return undefined;
  const only = drawings.length === 1 ? drawings[0]!.panel : undefined;
  const explained = explanation(design, drawings);
  const spec = {
    config: CONFIG,
    description: `${design.title}. ${explained}`,
    title: { text: design.title, subtitle: [...caption(result, only?.title), explained] },
    spacing: 40,
    vconcat: drawings.map(({ panel: { title }, points, ideal }) => ({
      ...picture(points, ideal, design),
      ...(only ? {} : { title: { text: title, fontSize: 13, offset: 10 } }),
    })),
  };
  // Vega-Lite's types are not made for exactOptionalPropertyTypes.
  return spec as unknown as TopLevelSpec;
}

/** What the marks of these drawings are; of none that is not there. */
function explanation({ explained }: Design, drawings: readonly Drawing[]): string {
  const dashes = !explained.startsWith('Dashed') || drawings.some(({ ideal }) => ideal.length > 0);
  const bars = drawings.some(({ panel }) => hasInterval(panel));
  return [...(dashes ? [explained] : []), ...(bars ? ['Bars: 95 % interval of the median.'] : [])].join(' ');
}

/** What was measured and on what, when and with which version; software adapters are named as such. */
function caption({ context: { adapter, date, tool, label } }: BenchResult, shape?: string): string[] {
  const name =
    adapter.description || adapter.device || [adapter.vendor, adapter.architecture].join(' ').trim();
  const version = `${tool.name} ${tool.version}${tool.commit ? ` (${tool.commit})` : ''}`;
  return [
    [name || 'adapter unnamed by the browser', ...(label ? [label] : [])].join(' · '),
    ...(adapter.software ? ['SOFTWARE ADAPTER: times of a CPU, not of a GPU'] : []),
    [...(shape ? [shape] : []), date.slice(0, 10), version].join(' · '),
  ];
}

const [WIDTH, HEIGHT] = [600, 340];

/** How far beyond its values an axis reaches, as a factor. */
const MARGIN = 1.15;

/** And beyond the ceiling, for its name. */
const ROOM_FOR_WORDS = 1.25;

function picture(points: readonly Point[], ideal: readonly Line[], { x, y, ceiling }: Design) {
  const xs = [...new Set(points.map((point) => point.x))].toSorted((a, b) => a - b);
  const ys = [
    ...points.flatMap(({ low, high }) => [low, high]),
    ...ideal.map((end) => end.y),
    ...(ceiling === undefined ? [] : [ceiling * ROOM_FOR_WORDS]),
  ];
  const [low, high] = [Math.min(...ys) / MARGIN, Math.max(...ys) * MARGIN];
  return {
    width: WIDTH,
    height: HEIGHT,
    encoding: {
      x: {
        field: 'x',
        type: 'quantitative',
        title: x,
        scale: { type: 'log', base: 2, domain: [xs[0], xs.at(-1)], nice: false },
        axis: { values: xs, format: ',d' },
      },
      y: {
        field: 'y',
        type: 'quantitative',
        title: y,
        scale: { type: 'log', domain: [low, high], nice: false },
        axis: { values: ticks(low, high), format: ',~g' },
      },
    },
    layer: layersOf({ points, ideal, ceiling, pixel: Math.log(high / low) / HEIGHT }),
  };
}
