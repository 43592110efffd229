// drawing.ts: query heads above, KV heads below, and who reads what, as SVG.
import { kvHeadOf, kvHeadText, type Sharing } from './sharing.ts';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 420;
const HEIGHT = 112;
const QUERY_Y = 10;
const KV_Y = 98;

/** Prefix of the KV heads' ids. */
export const KV_ID = 'kv-head-';

/** Draws the heads; `chosen` is the KV head that stands out, with its readers. */
export function drawHeads(sharing: Sharing, chosen: number | undefined): SVGElement {
  const { heads, kvHeads } = sharing;
  const step = WIDTH / heads;
  const radius = Math.min(7, 0.38 * step);
  const kvStep = WIDTH / kvHeads;
  const half = Math.min(9, 0.42 * kvStep);
  const queries = range(heads).map((h) => {
    const kvHead = kvHeadOf(sharing, h);
    const [x, kvX] = [(h + 0.5) * step, (kvHead + 0.5) * kvStep];
    return svg(
      'g',
      { class: nameOf('reader', kvHead, chosen), 'data-kv': kvHead, 'aria-hidden': 'true' },
      svg('path', {
        d: `M${x} ${QUERY_Y + radius}C${x} ${QUERY_Y + 46} ${kvX} ${KV_Y - 52} ${kvX} ${KV_Y - half}`,
      }),
      svg('circle', { cx: x, cy: QUERY_Y, r: radius }),
    );
  });
  const kv = range(kvHeads).map((hk) => {
    const x = (hk + 0.5) * kvStep;
    return svg(
      'g',
      {
        id: `${KV_ID}${hk}`,
        class: nameOf('kv', hk, chosen),
        'data-kv': hk,
        role: 'option',
        'aria-selected': String(hk === chosen),
        'aria-label': kvHeadText(sharing, hk),
      },
      // As wide as its readers, so that a small one can be hit.
      svg('rect', { class: 'target', x: hk * kvStep, y: KV_Y - 20, width: kvStep, height: 34 }),
      svg('rect', { x: x - half, y: KV_Y - half, width: 2 * half, height: 2 * half, rx: 0.3 * half }),
    );
  });
  return svg(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'presentation' },
    // What stands out lies on top.
    ...queries.toSorted((a, b) => Number(isChosen(a)) - Number(isChosen(b))),
    ...kv,
  );
}

/** The KV head that something drawn belongs to: itself, or the one that a query head reads. */
export function kvHeadAt(target: EventTarget | null): number | undefined {
  const found = target instanceof Element ? target.closest('[data-kv]') : null;
  return found ? Number(found.getAttribute('data-kv')) : undefined;
}

function nameOf(kind: string, kvHead: number, chosen: number | undefined): string {
  if (chosen === undefined) return kind;
  return `${kind} ${kvHead === chosen ? 'chosen' : 'other'}`;
}

function isChosen(element: SVGElement): boolean {
  return element.classList.contains('chosen');
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}

function svg(
  tag: string,
  attributes: Readonly<Record<string, string | number>>,
  ...children: readonly Node[]
): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}
