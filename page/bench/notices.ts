// notices.ts: what a reader must know beside the numbers: bad or changed parameters, warnings, failures.
import { isSoftware } from '../../src/index.ts';
import { variantName } from '../../src/kernels/fused.ts';
import { formatSignificant } from '../../bench/text/format.ts';
import { isWrong } from '../../bench/run/rowResult.ts';
import type { BenchResult, Warning } from '../../bench/schema/schema.ts';
import type { Tuned } from '../../bench/tune/tune.ts';
import type { Gpu } from '../shell/browser.ts';
import { el } from '../shell/dom.ts';
import { notice } from '../shell/notice.ts';
import { softwareNotice } from '../shell/help.ts';
import type { Outcome } from './runner.ts';
import type { Change, PageSettings } from './settings.ts';
import { tunedShapes, type TunedShape } from './tuning.ts';

/** What to know of a run: of the machine, of the tuning kept here, and what of it is not as usual. */
export function startNotices(
  gpu: Gpu,
  settings: PageSettings,
  tuningFault: string | undefined,
  onForget: () => void,
): HTMLElement[] {
  const list: HTMLElement[] = [];
  if (gpu.kind === 'adapter' && isSoftware(gpu.adapter.info)) list.push(softwareNotice());
  if (gpu.kind === 'adapter' && !gpu.adapter.features.has('timestamp-query')) list.push(wallNotice());
  if (tuningFault !== undefined) list.push(notice('', TITLES.tuning, el('p', {}, tuningFault)));
  const tuned = tunedShapes();
  if (tuned.length > 0 && settings.run.tuning) list.push(tuningNotice(tuned, onForget));
  if (settings.faults.length === 0 && settings.changes.length > 0) list.push(changeNotice(settings.changes));
  return list;
}

/** What to know of a run that has ended. */
export function outcomeNotices(outcome: Outcome): HTMLElement[] {
  if (outcome.state === 'error') {
    const { code, message, result } = outcome;
    return [failureNotice(code, message), ...(result ? resultNotices(result) : [])];
  }
  if (outcome.state === 'tuned') return [tunedNotice(outcome.found)];
  return outcome.state === 'done' ? resultNotices(outcome.result) : [];
}

function tunedNotice(found: readonly Tuned[]): HTMLElement {
  const items = found.map(({ shape, ratio, trials, entry }) => {
    const speed = formatSignificant(1 / ratio, 3);
    const text = `${shape}: ${variantName(entry.variant)}, ${speed}× as fast as untuned (best of ${trials.filter((trial) => trial.ratio !== undefined).length})`;
    return el('li', {}, text);
  });
  return notice('', 'Tuned for this device.', el('ul', { id: 'tuned' }, ...items));
}

function wallNotice(): HTMLElement {
  const text =
    'Times are taken by the wall clock, over many steps at once, less what an empty submission takes. A row too short for that clock gets no time.';
  return notice('', 'This browser gives no GPU timestamps.', el('p', {}, text));
}

/** Which shapes run with what was tuned here, since when; and how that ends. */
function tuningNotice(tuned: readonly TunedShape[], onForget: () => void): HTMLElement {
  const items = tuned.map(({ shape, since }) =>
    el('li', {}, since === undefined ? shape : `${shape}: since ${since}`),
  );
  const forget = el('button', { id: 'forget-tuning' }, 'Forget it');
  forget.addEventListener('click', onForget);
  return notice('', 'Runs use what was tuned in this browser.', el('ul', {}, ...items), forget);
}

function changeNotice(changes: readonly Change[]): HTMLElement {
  const head = el(
    'tr',
    {},
    ...['parameter', 'value', 'default'].map((title) => el('th', { scope: 'col' }, title)),
  );
  const rows = changes.map(({ param, value, standard }) =>
    el('tr', {}, el('th', { scope: 'row' }, param), el('td', {}, value), el('td', {}, standard)),
  );
  return notice(
    '',
    'Non-standard parameters: compare only with runs of the same.',
    el('table', { id: 'changes' }, el('thead', {}, head), el('tbody', {}, ...rows)),
  );
}

function failureNotice(code: string, message: string): HTMLElement {
  if (code === 'device-lost') {
    const advice =
      'The driver reset it, or something else took it away. Run again works on a fresh device; a shorter context or fewer KV heads ask less of it.';
    return notice(
      'bad',
      'The GPU device was lost during the run.',
      el('p', {}, message),
      el('p', {}, advice),
    );
  }
  return notice('bad', 'The run failed.', el('p', {}, message));
}

const TITLES: Readonly<Record<Warning['code'], string>> = {
  'software-adapter': 'Software adapter',
  'timer-coarse': 'Coarse timer',
  'timer-broken': 'Broken GPU timer',
  'timers-disagree': 'Two clocks that do not agree',
  'below-clock': 'Too short for this clock',
  'above-ceiling': 'Faster than the ceiling',
  tuning: 'Tuning',
  noisy: 'Noisy times',
  hidden: 'The tab was hidden',
  subgroups: 'Subgroups out of order',
  'non-standard': 'Non-standard parameters',
  partial: 'Not the whole run',
};

/** The result's own warnings, less those that the page gives from the start; and wrong rows. */
function resultNotices({ context, results }: BenchResult): HTMLElement[] {
  const list = context.warnings
    .filter(({ code }) => code !== 'software-adapter' && code !== 'non-standard')
    .map(({ code, text }) => notice('', TITLES[code], el('p', {}, text)));
  const wrong = results.filter(isWrong);
  if (wrong.length > 0) {
    const text =
      'They have no time. Please report this with the JSON file: it is a fault of the kernels or of the driver.';
    list.unshift(
      notice('bad', `${wrong.length} of ${results.length} rows computed a wrong result.`, el('p', {}, text)),
    );
  }
  return list;
}
