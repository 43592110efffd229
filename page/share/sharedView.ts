// sharedView.ts: a result that was measured elsewhere, read-only: who measured it, its rows, what it leaves out.
import type { BenchResult } from '../../bench/schema/schema.ts';
import { el } from '../shell/dom.ts';
import { notice } from '../shell/notice.ts';
import type { SameRun } from './sameRun.ts';
import { LINK_TEXT, originText } from './words.ts';

/** What a shared result is shown with. */
export interface SharedViewOptions {
  /** Where it came from: a link, or a file of this name. */
  readonly source: 'link' | { readonly file: string };
  /** Its rows as the page shows a run of its own. */
  readonly rows: (result: BenchResult) => readonly HTMLElement[];
  readonly same: SameRun;
  /** Whether its rows are folded away: beside a run of this device they are not what is waited for. */
  readonly isFolded: boolean;
  /** Whether something could run here at all. */
  readonly canRun: boolean;
  readonly runHere: (query: string) => void;
  readonly close: () => void;
}

/** The result with a banner that says that it is none of this device, and a button that runs the same here. */
export function sharedView(result: BenchResult, options: SharedViewOptions): HTMLElement {
  const { source, rows, same, isFolded } = options;
  const { context } = result;
  const from = source === 'link' ? 'the link you followed' : source.file;
  return el(
    'section',
    { class: 'shared', 'aria-labelledby': 'shared-title' },
    el('h2', { id: 'shared-title' }, 'A result from elsewhere'),
    el(
      'div',
      { class: 'notice' },
      el('strong', {}, 'This was not measured on your device.'),
      el('p', { class: 'origin' }, `${originText(context)} It is read from ${from}.`),
      ...('query' in same ? [] : [el('p', {}, `It cannot be run here: ${same.fault}.`)]),
      el('p', { class: 'buttons' }, ...buttons(options)),
    ),
    el(
      'details',
      isFolded ? {} : { open: '' },
      el('summary', {}, 'Its rows'),
      ...warnings(result),
      ...rows(result),
      ...(source === 'link' ? [el('p', { class: 'small' }, LINK_TEXT)] : []),
    ),
  );
}

/** What the run itself said of its times. */
function warnings({ context }: BenchResult): HTMLElement[] {
  if (context.warnings.length === 0) return [];
  const items = context.warnings.map(({ text }) => el('li', {}, text));
  return [notice('', 'Its run warned:', el('ul', {}, ...items))];
}

function buttons({ same, canRun, runHere, close }: SharedViewOptions): HTMLElement[] {
  const run = el('button', { type: 'button', class: 'primary', id: 'run-here' }, 'Run it here');
  if ('query' in same) run.addEventListener('click', () => runHere(same.query));
  const leave = el('button', { type: 'button', id: 'close-shared' }, 'Close');
  leave.addEventListener('click', close);
  return 'query' in same && canRun ? [run, leave] : [leave];
}
