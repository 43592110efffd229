// picture.ts: the three ways to share KV heads, drawn with eight query heads.
import { plural } from '../../bench/text/format.ts';

const SVG = 'http://www.w3.org/2000/svg';
const QUERY_HEADS = 8;
const STEP = 14;
const WIDTH = QUERY_HEADS * STEP;

function svg(
  tag: string,
  attributes: Readonly<Record<string, string | number>>,
  ...children: readonly Node[]
): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

function panel(name: string, kvHeads: number): HTMLElement {
  const drawing = svg('svg', { viewBox: `0 0 ${WIDTH} 56`, role: 'img' });
  drawing.setAttribute('aria-label', `${name}: 8 query heads share ${plural(kvHeads, 'KV head')}`);
  const group = QUERY_HEADS / kvHeads;
  for (let h = 0; h < QUERY_HEADS; h++) {
    const hk = Math.floor(h / group);
    const x = (h + 0.5) * STEP;
    const kvX = (hk + 0.5) * group * STEP;
    drawing.append(svg('path', { d: `M${x} 10C${x} 28 ${kvX} 24 ${kvX} 44`, class: 'share' }));
    drawing.append(svg('circle', { cx: x, cy: 9, r: 4, class: 'query' }));
  }
  for (let hk = 0; hk < kvHeads; hk++) {
    drawing.append(
      svg('rect', { x: (hk + 0.5) * group * STEP - 4.5, y: 42, width: 9, height: 11, rx: 2, class: 'kv' }),
    );
  }
  const box = document.createElement('div');
  const caption = document.createElement('span');
  caption.append(name);
  box.append(drawing, caption);
  return box;
}

/** MHA, GQA and MQA side by side: query heads above, the KV heads they read below. */
export function headPicture(): HTMLElement[] {
  return [panel('MHA', 8), panel('GQA', 2), panel('MQA', 1)];
}
