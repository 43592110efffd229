// legend.ts: which line of a chart is which.
import { el } from '../shell/dom.ts';
import { legendEntries, type Look } from './looks.ts';
import type { ChartSpec } from './spec.ts';

const SVG = 'http://www.w3.org/2000/svg';

/** Width and height of a sample of a line, in px. */
export const KEY = { width: 30, height: 14 } as const;

/** Outlines of dots around the middle of a sample, by the library's names. */
const OUTLINES: Readonly<Record<NonNullable<Look['symbol']>, string>> = {
  circle: 'M-4,0a4,4 0 1 0 8,0a4,4 0 1 0 -8,0Z',
  square: 'M-3.5,-3.5h7v7h-7Z',
  triangle: 'M0,-5L4.6,3H-4.6Z',
  diamond: 'M0,-5.5L3.4,0L0,5.5L-3.4,0Z',
  star: 'M0,-5.5L1.3,-1.7L5.2,-1.7L2,0.7L3.2,4.4L0,2.1L-3.2,4.4L-2,0.7L-5.2,-1.7L-1.3,-1.7Z',
  cross: 'M-1.7,-5h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3v-3.4h3.3Z',
  wye: 'M-1.6,5V0.9L-5.1,-1.1L-3.5,-3.9L0,-1.9L3.5,-3.9L5.1,-1.1L1.6,0.9V5Z',
  hexagon: 'M0,-4.8L4.2,-2.4V2.4L0,4.8L-4.2,2.4V-2.4Z',
};

/** The legend as a list. */
export function legendOf(spec: ChartSpec): HTMLElement {
  const items = legendEntries(spec).map(({ look, text }) => el('li', {}, keyOf(look), text));
  return el('ul', { class: 'chart-legend' }, ...items);
}

/** A sample of how a series is drawn. */
export function keyOf({ colour, symbol, dashes }: Look): SVGSVGElement {
  const middle = KEY.height / 2;
  const children = [
    shape('line', {
      x1: '0',
      x2: `${KEY.width}`,
      y1: `${middle}`,
      y2: `${middle}`,
      stroke: colour,
      'stroke-width': '2',
      ...(dashes !== undefined && { 'stroke-dasharray': dashes }),
    }),
    ...(symbol === undefined
      ? []
      : [
          shape('path', {
            d: OUTLINES[symbol],
            fill: colour,
            transform: `translate(${KEY.width / 2},${middle})`,
          }),
        ]),
  ];
  const svg = shape('svg', { width: `${KEY.width}`, height: `${KEY.height}`, 'aria-hidden': 'true' });
  svg.append(...children);
  return svg;
}

/** Makes an element of SVG. */
export function shape<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>>,
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
