// render.ts: a Vega-Lite chart as SVG, in Node, without a browser or a canvas.
import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { followingTheme } from './theme.ts';

/** The chart as one SVG file that suits light and dark pages. The same chart gives the same bytes. */
export async function renderSvg(spec: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile(spec).spec), { renderer: 'none' });
  try {
    return `${followingTheme(await view.toSVG())}\n`;
  } finally {
    view.finalize();
  }
}
