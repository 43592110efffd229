// compareView.ts: results beside the first of them, row by row, with the verdicts of `gqa compare`; to read and to copy.
import { compareResults, STANDARD_MARGIN, type Comparison, type Side } from '../../bench/report/compare.ts';
import {
  compareMarkdown,
  compareNotes,
  compareTable,
  type CompareNote,
} from '../../bench/report/compareReport.ts';
import { el } from '../shell/dom.ts';
import { copyText } from '../shell/takeAway.ts';
import { devicesText, verdictText } from './words.ts';

/** Two results or more, each but the first compared with it. Throws GqaError for results of different kinds. */
export function compareView([first, ...others]: readonly [Side, ...Side[]]): HTMLElement {
  const comparisons = others.map((other) => compareResults(first, other, STANDARD_MARGIN));
  const said = el('span', { role: 'status', class: 'small' });
  const copy = el('button', { type: 'button', id: 'copy-comparison' }, 'Copy comparison');
  copy.addEventListener('click', () => {
    void copyText(comparisons.map(compareMarkdown).join('\n\n')).then((isCopied) => {
      said.textContent = isCopied ? 'Copied.' : 'This browser did not allow it.';
    });
  });
  return el(
    'section',
    { class: 'comparison', 'aria-labelledby': 'comparison-title' },
    el('h2', { id: 'comparison-title' }, 'Comparison'),
    ...comparisons.map(comparisonView),
    el('div', { class: 'buttons' }, copy, said),
  );
}

function comparisonView(comparison: Comparison): HTMLElement {
  const { a, b, rows } = comparison;
  const devices = devicesText(comparison);
  return el(
    'article',
    {},
    el('h3', {}, verdictText(comparison)),
    el('p', { class: 'small' }, `A is ${a.name}, B is ${b.name}.`),
    ...(devices === undefined || rows.length === 0 ? [] : [el('p', { class: 'small' }, devices)]),
    ...(rows.length > 0 ? [table(comparison)] : []),
    el('dl', {}, ...compareNotes(comparison).map(noteItem)),
  );
}

function table(comparison: Comparison): HTMLElement {
  const { columns, rows } = compareTable(comparison);
  const kind = (i: number) => (columns[i]!.align === 'right' ? 'number' : undefined);
  const head = columns.map(({ title }, i) => el('th', { scope: 'col', class: kind(i) }, title));
  const body = rows.map((cells, at) =>
    el(
      'tr',
      { 'data-verdict': comparison.rows[at]!.change?.verdict ?? 'none' },
      ...cells.map((text, i) =>
        i === 0 ? el('th', { scope: 'row' }, text) : el('td', { class: kind(i) }, text),
      ),
    ),
  );
  const label = `${comparison.b.name} against ${comparison.a.name}`;
  return el(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': label },
    el('table', {}, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...body)),
  );
}

const TITLES: Readonly<Record<CompareNote['kind'], string>> = {
  differs: 'Different',
  same: 'The same',
  'only A': 'Only in A',
  'only B': 'Only in B',
  error: 'No time',
  warning: 'Warning',
  note: 'To read it',
};

function noteItem({ kind, text }: CompareNote): HTMLElement {
  return el('div', { 'data-kind': kind }, el('dt', {}, TITLES[kind]), el('dd', {}, text));
}
