// theme.ts: how charts look, on light and on dark pages: one SVG whose colours follow the reader's own preference.
import type { Config } from 'vega-lite';

/** Every colour of a chart, and what takes its place on a dark page. */
const DARK: Readonly<Record<string, string>> = {
  '#ffffff': '#0d1117', // page
  '#1f2328': '#e6edf3', // ink
  '#59636e': '#9198a1', // lesser ink
  '#d1d9e0': '#30363d', // grid
  '#1d4ed8': '#60a5fa',
  '#0e7490': '#22d3ee',
  '#15803d': '#4ade80',
  '#a16207': '#facc15',
  '#c2410c': '#fb923c',
  '#be185d': '#f472b6',
  '#7e22ce': '#c084fc',
  '#475569': '#94a3b8',
};

const [WHITE, INK, LESSER, GRID, ...HUES] = Object.keys(DARK) as [
  string,
  string,
  string,
  string,
  ...string[],
];

/** The colour behind everything. */
export const PAGE = WHITE;

/** The colour of rules and words that belong to no line. */
export const NEUTRAL = LESSER;

/** Colours of lines, in order; after the last the first again. Names beside the lines tell them apart too. */
export const LINES: readonly string[] = HUES;

const FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif";

export const CONFIG: Config = {
  background: PAGE,
  padding: 16,
  font: FONT,
  view: { stroke: null },
  title: {
    anchor: 'start',
    frame: 'bounds',
    color: INK,
    fontSize: 16,
    fontWeight: 600,
    subtitleColor: LESSER,
    subtitleFontSize: 12,
    subtitleLineHeight: 17,
    subtitlePadding: 6,
    offset: 18,
  },
  axis: {
    domainColor: GRID,
    gridColor: GRID,
    tickColor: GRID,
    labelColor: LESSER,
    titleColor: INK,
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 400,
    titlePadding: 10,
    labelFlush: false,
    labelOverlap: false,
  },
  header: { labelColor: INK, labelFontSize: 12 },
  legend: { labelColor: INK, labelFontSize: 12, labelLimit: 240, symbolOpacity: 1 },
};

/** The SVG with the dark colours in it, for readers who prefer dark pages; drawn light where style sheets mean nothing. */
export function followingTheme(svg: string): string {
  const rules = Object.entries(DARK).flatMap(([light, dark]) => [
    `[fill="${light}"]{fill:${dark}}`,
    `[stroke="${light}"]{stroke:${dark}}`,
  ]);
  const style = `<style>@media (prefers-color-scheme:dark){${rules.join('')}}</style>`;
  return svg.replace(/^<svg[^>]*>/, (start) => `${start}${style}`);
}
