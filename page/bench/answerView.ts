// answerView.ts: the answer on the page, above all else; until there is one, the figures so far.
import { formatSignificant } from '../../bench/text/format.ts';
import type { RowSoFar } from '../../bench/run/rowGroup.ts';
import { byId, el } from '../shell/dom.ts';
import { answerOf, capital, nameOf } from './answer.ts';
import type { Place } from './fits.ts';
import type { Draw } from './results.ts';

/** What stands there before anything runs. */
interface Before {
  readonly headline: string;
  readonly more: readonly Node[];
}

/** Shows the answer of rows that were measured on a place; drawn again only when it changes, for it is read aloud. */
export function answerView(place: Place): Draw {
  const [headline, more] = [byId('headline'), byId('more')];
  const before: Before = { headline: headline.textContent.trim(), more: [...more.childNodes] };
  let last = before.headline;
  let looks = 0;
  return ({ rows, soFar }) => {
    const answer = answerOf(rows, place);
    const seen = soFar.filter(({ ns }) => ns > 0);
    // With each row that has a first figure, not with each sample: the line is read aloud.
    const isNewLook = seen.length !== looks;
    looks = seen.length;
    const look = isNewLook && seen.length > 0 ? lookText(seen.at(-1)!) : last;
    const text = answer?.headline ?? (seen.length > 0 ? look : before.headline);
    if (text !== last) headline.replaceChildren(...emphasised(text));
    last = text;
    headline.dataset.kind = answer?.kind ?? 'none';
    if (answer) more.replaceChildren(listOf(answer.more));
    else if (seen.length > 0) more.replaceChildren(listOf(seen.map((row) => capital(soFarText(row)))));
    else more.replaceChildren(...before.more);
  };
}

/** The first figure of a row, as it comes. */
function lookText(row: RowSoFar): string {
  return `Measuring. At first sight, ${soFarText(row)}. It is not settled yet.`;
}

function soFarText({ params, ns }: RowSoFar): string {
  const time = ns >= 1e6 ? `${formatSignificant(ns / 1e6, 3)} ms` : `${formatSignificant(ns / 1e3, 3)} µs`;
  return `${nameOf({ params })} takes ${time} at ${params.depth.toLocaleString('en-US')} tokens`;
}

function listOf(lines: readonly string[]): HTMLElement {
  return el('ul', {}, ...lines.map((line) => el('li', {}, line)));
}

/** The figure of a sentence stands out: "2.6× (± 0.1)". */
function emphasised(text: string): (Node | string)[] {
  const figure = /(?:about )?[\d.,]+×(?: \(± [\d.]+\))?(?: (?:faster|slower))?/.exec(text);
  if (!figure) return [text];
  const end = figure.index + figure[0].length;
  return [text.slice(0, figure.index), el('strong', {}, figure[0]), text.slice(end)];
}
