// view.ts: what came of a check as elements: wrong runs first, then kernels by type, then every run, then what was left out.
import { CHECK_CASES } from '../../bench/check/cases.ts';
import type { CheckRow } from '../../bench/check/check.ts';
import type { AppendCheck } from '../../bench/check/checkAppend.ts';
import {
  groupChecks,
  passed,
  runName,
  shareOfBound,
  short,
  worstError,
  type CheckGroup,
} from '../../bench/report/checkReport.ts';
import { plural } from '../../bench/text/format.ts';
import { el } from '../shell/dom.ts';
import type { Untried } from './protocol.ts';
import { caseText, faultSentence, shareText } from './words.ts';

/** Cases shown in full; more of them say little more, and are in the table. */
const MOST_SHOWN = 12;

/** What is wrong, a list that grows: a case once, with a line for each kernel that is wrong in it. */
export class Faults {
  readonly #list: HTMLElement;
  readonly #more: HTMLElement;
  readonly #cases = new Map<string, HTMLElement | undefined>();

  /** Empties the list, and the line below it that tells how many more there are. */
  constructor(list: HTMLElement, more: HTMLElement) {
    this.#list = list;
    this.#more = more;
    list.replaceChildren();
    more.textContent = '';
  }

  /** A run that is wrong or gave no result. */
  add(row: CheckRow): void {
    if (!this.#cases.has(row.case)) this.#cases.set(row.case, this.#newCase(row.case));
    this.#cases.get(row.case)?.append(el('p', {}, `${runName(row)}: ${faultSentence(row)}`));
  }

  /** Appends that are not stored as on the host. */
  addAppends(appends: readonly AppendCheck[]): void {
    for (const { type, wrong } of appends) {
      if (wrong === undefined) continue;
      this.#list.append(
        el('li', {}, el('strong', {}, `Appends to caches of ${type} are wrong`), el('p', {}, `${wrong}.`)),
      );
    }
  }

  #newCase(name: string): HTMLElement | undefined {
    const over = this.#cases.size + 1 - MOST_SHOWN;
    if (over > 0) {
      this.#more.textContent = `And ${plural(over, 'more case')}; all of them are in the table of all runs and in the report.`;
      return undefined;
    }
    const found = CHECK_CASES.find((each) => each.name === name);
    const item = el(
      'li',
      {},
      el('strong', {}, el('code', {}, name)),
      el('p', {}, found ? caseText(found) : ''),
    );
    this.#list.append(item);
    return item;
  }
}

/** Kernels by type of cache, each with its worst error. */
export function groupsTable(rows: readonly CheckRow[]): HTMLElement {
  const titles = ['kernel', 'K and V', 'runs', 'failed', 'worst error', 'bound', 'of bound'];
  return table('Kernels by type of cache', titles, 2, groupChecks(rows).map(groupCells));
}

function groupCells({ kernel, elements, runs, failed, worst }: CheckGroup): Cells {
  const figures = worst ? errorCells(worst) : ['no result', '', ''];
  return { isBad: failed > 0, cells: [kernel, elements, String(runs), String(failed), ...figures] };
}

/** Every run, folded away: those nearest to their bounds, or over them, first. */
export function allRuns(rows: readonly CheckRow[]): HTMLElement {
  const ranked = rows
    .map((row) => ({ row, worst: worstError(row) }))
    .map((each) => ({ ...each, share: each.worst ? shareOfBound(each.worst) : Infinity }))
    .toSorted((a, b) => (a.share === b.share ? 0 : b.share - a.share));
  const lines = ranked.map(({ row, worst }): Cells => ({
    isBad: !passed(row),
    cells: [row.case, row.kernel, ...(worst ? errorCells(worst) : ['no result', '', ''])],
  }));
  const details = el('details', { id: 'check-all' }, el('summary', {}, `All ${plural(rows.length, 'run')}`));
  // Hundreds of rows: made when they are asked for.
  details.addEventListener(
    'toggle',
    () =>
      details.append(
        table('All runs', ['case', 'kernel', 'worst error', 'bound', 'share of the bound'], 2, lines),
      ),
    { once: true },
  );
  return details;
}

function errorCells(worst: NonNullable<CheckGroup['worst']>): string[] {
  return [short(worst.error), short(worst.bound), shareText(shareOfBound(worst))];
}

/** What this device did not run, and why; nothing when it ran all. */
export function untriedList(list: readonly Untried[]): HTMLElement[] {
  if (list.length === 0) return [];
  return [
    el(
      'section',
      { class: 'untried' },
      el('h2', {}, 'Not checked here'),
      el('ul', {}, ...list.map(({ what, why }) => el('li', {}, el('strong', {}, what), `: ${why}.`))),
    ),
  ];
}

interface Cells {
  readonly isBad: boolean;
  readonly cells: readonly string[];
}

/** A table in a box that scrolls by itself; the first `words` columns hold words, the others numbers. */
function table(
  label: string,
  titles: readonly string[],
  words: number,
  lines: readonly Cells[],
): HTMLElement {
  const kind = (i: number) => (i < words ? undefined : 'number');
  const head = titles.map((title, i) => el('th', { scope: 'col', class: kind(i) }, title));
  const body = lines.map(({ isBad, cells }) =>
    el(
      'tr',
      { class: isBad ? 'bad' : undefined },
      ...cells.map((text, i) =>
        i === 0 ? el('th', { scope: 'row' }, text) : el('td', { class: kind(i) }, text),
      ),
    ),
  );
  return el(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': label },
    el('table', {}, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...body)),
  );
}
