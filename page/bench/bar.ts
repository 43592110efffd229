// bar.ts: a row's time as a bar: reading KV at the ceiling, and everything else.
import { formatSignificant } from '../../bench/text/format.ts';
import type { BenchRow } from '../../bench/schema/schema.ts';
import { partsOf } from '../../bench/report/speedUp.ts';
import { el } from '../shell/dom.ts';

/**
 * A bar as long, of its cell, as the row's time of `longestNs`. It is split when the read ceiling (in bytes per ns) is
 * known and the row is cold. A row without a time has an empty bar.
 */
export function barOf(
  row: BenchRow | undefined,
  longestNs: number,
  ceiling: number | undefined,
): HTMLElement {
  if (!row?.time) return el('div', { class: 'bar', 'aria-hidden': 'true' });
  const total = row.time.median;
  // The ceiling says nothing of a row that a last-level cache may hold.
  if (ceiling === undefined || !row.cold) {
    return el(
      'div',
      { class: 'bar', role: 'img', 'aria-label': us(total) },
      part('unsplit', total / longestNs),
    );
  }
  const { reading, rest } = partsOf({ readGBps: ceiling }, row);
  const text = `${us(total)}: ${us(reading)} reading KV at your ceiling, ${us(rest)} everything else`;
  return el(
    'div',
    { class: 'bar', role: 'img', 'aria-label': text, title: text },
    part('reading', reading / longestNs),
    part('rest', rest / longestNs),
  );
}

/** The bar of a row that is still sampled: a share of its cell, outlined. */
export function roughBar(share: number): HTMLElement {
  return el('div', { class: 'bar', 'aria-hidden': 'true' }, part('rough', share));
}

function part(name: string, share: number): HTMLElement {
  const piece = el('span', { class: name });
  piece.style.width = `${(100 * share).toFixed(3)}%`;
  return piece;
}

function us(ns: number): string {
  return `${formatSignificant(ns / 1000, 3)} µs`;
}
