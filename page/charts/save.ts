// save.ts: a chart as a file of its own: with its title and legend, and with no style that only the page knows.
import { saveFile } from '../shell/takeAway.ts';
import type { drawChart } from './draw.ts';
import { KEY, keyOf, shape } from './legend.ts';
import { legendEntries } from './looks.ts';
import type { ChartSpec } from './spec.ts';

/** Of the picture, in px. */
const WIDTH = 720;
const BORDER = 20;
const PLOT = { width: WIDTH - 2 * BORDER, height: 400 };
const LINE = 20;

/** A PNG has so many pixels for each px. */
const DENSITY = 2;

/** What is resolved; all of it is inherited, so that an element needs only what its parent has not. */
const PROPERTIES = [
  'fill',
  'fill-opacity',
  'stroke',
  'stroke-width',
  'stroke-opacity',
  'stroke-dasharray',
  'stroke-linecap',
  'stroke-linejoin',
  'font-family',
  'font-size',
  'font-weight',
  'text-anchor',
  'paint-order',
] as const;

/** What a file is made of: the chart, and a place on the page where its styles hold. */
export interface Source {
  readonly spec: ChartSpec;
  readonly draw: typeof drawChart;
  readonly place: HTMLElement;
}

/** Saves a chart as SVG; gives back the file's name. */
export function saveSvg(source: Source): string {
  const name = `${source.spec.fileName}.svg`;
  saveFile(name, new Blob([svgText(source).text], { type: 'image/svg+xml' }));
  return name;
}

/** Saves a chart as PNG, on the page's background; gives back the file's name. */
export async function savePng(source: Source): Promise<string> {
  const { text, height } = svgText(source);
  const url = URL.createObjectURL(new Blob([text], { type: 'image/svg+xml' }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [DENSITY * WIDTH, DENSITY * height];
    canvas.getContext('2d')!.drawImage(image, 0, 0, canvas.width, canvas.height);
    const png = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
    if (!png) throw new Error('this browser makes no PNG of it');
    const name = `${source.spec.fileName}.png`;
    saveFile(name, png);
    return name;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** The picture as text. It is on the page only while its styles are looked up. */
function svgText({ spec, draw, place }: Source): { text: string; height: number } {
  const { svg, height } = picture(spec, draw);
  place.append(svg);
  const resolved = svg.cloneNode(true) as SVGSVGElement;
  resolve(svg, resolved);
  svg.remove();
  return { text: new XMLSerializer().serializeToString(resolved), height };
}

function picture(spec: ChartSpec, draw: typeof drawChart): { svg: SVGSVGElement; height: number } {
  const svg = shape('svg', { class: 'chart-svg', width: `${WIDTH}` });
  let y = BORDER;
  const write = (text: string, attributes: Readonly<Record<string, string>>) => {
    y += LINE;
    const line = shape('text', { x: `${BORDER}`, y: `${y - 6}`, 'text-anchor': 'start', ...attributes });
    line.textContent = text;
    svg.append(line);
  };
  svg.append(shape('rect', { width: '100%', height: '100%', fill: 'var(--surface)' }));
  for (const text of linesOf(spec.title, '600 16px system-ui')) write(text, { class: 'chart-title' });
  for (const text of linesOf(spec.caption, '13px system-ui')) write(text, { class: 'chart-caption' });
  y = addLegend(svg, spec, y + 8) + 12;
  const chart = draw(spec, PLOT);
  for (const [name, value] of [
    ['x', BORDER],
    ['y', y],
  ] as const)
    chart.setAttribute(name, `${value}`);
  svg.append(chart);
  const height = y + PLOT.height + BORDER / 2;
  svg.setAttribute('height', `${height}`);
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${height}`);
  return { svg, height };
}

/** The legend from `y` on, in as many lines as it needs; gives back where it ends. */
function addLegend(svg: SVGSVGElement, spec: ChartSpec, from: number): number {
  let [x, y] = [BORDER, from];
  for (const { look, text } of legendEntries(spec)) {
    const width = KEY.width + 6 + widthOf(text, '13px system-ui');
    if (x > BORDER && x + width > WIDTH - BORDER) [x, y] = [BORDER, y + LINE];
    const key = keyOf(look);
    key.setAttribute('x', `${x}`);
    key.setAttribute('y', `${y}`);
    const label = shape('text', {
      x: `${x + KEY.width + 6}`,
      y: `${y + KEY.height - 2}`,
      'text-anchor': 'start',
      class: 'chart-caption',
    });
    label.textContent = text;
    svg.append(key, label);
    x += width + 18;
  }
  return y + KEY.height;
}

/** A text in lines that fit the picture. */
function linesOf(text: string, font: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)!} ${word}`;
    if (lines.length > 0 && widthOf(longer, font) <= PLOT.width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

function widthOf(text: string, font: string): number {
  const context = document.createElement('canvas').getContext('2d')!;
  context.font = font;
  return context.measureText(text).width;
}

/** Gives the copy of each element, as attributes, what the page's styles make of the original. */
function resolve(original: Element, copy: Element, above?: CSSStyleDeclaration): void {
  const style = getComputedStyle(original);
  for (const name of PROPERTIES) {
    const value = style.getPropertyValue(name);
    if (value === above?.getPropertyValue(name)) copy.removeAttribute(name);
    else copy.setAttribute(name, value);
  }
  copy.removeAttribute('class');
  for (const [i, child] of [...original.children].entries()) resolve(child, copy.children[i]!, style);
}
