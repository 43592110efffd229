// share.ts: a result to take away: Markdown on the clipboard, JSON as a file. Nothing is sent anywhere.
import { markdownReport } from '../bench/report/report.ts';
import type { BenchResult } from '../bench/schema/schema.ts';
import { byId, el } from './dom.ts';

/** Makes the buttons copy and save the result that is current when they are pressed. */
export function offerSharing(current: () => BenchResult | undefined): void {
  const withResult = (act: (result: BenchResult) => void) => () => {
    const result = current();
    if (result) act(result);
  };
  byId('copy').addEventListener(
    'click',
    withResult((result) => void copy(markdownReport(result))),
  );
  byId('download').addEventListener('click', withResult(download));
}

/** Shows a result's report and the buttons to copy and save it; hides them without one. */
export function showSharing(result: BenchResult | undefined): void {
  byId('share').hidden = !result;
  byId('report').hidden = !result;
  byId('shared').textContent = '';
  byId('report-text').textContent = result ? markdownReport(result) : '';
}

async function copy(text: string): Promise<void> {
  if (await copyText(text)) {
    byId('shared').textContent = 'Copied.';
    return;
  }
  // The text stands on the page, selected, ready to be copied by hand.
  byId('report', HTMLDetailsElement).open = true;
  getSelection()?.selectAllChildren(byId('report-text'));
  byId('shared').textContent =
    'This browser did not allow it; the report is selected below, copy it from there.';
}

/** Puts text on the clipboard; false in a browser that allows none. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

function download(result: BenchResult): void {
  byId('shared').textContent = `Saved as ${saveJson('gqa-bench', result.context.date, result)}.`;
}

/** Saves a value as a file; its name has the date in it, and is given back. */
export function saveJson(what: string, date: string, value: unknown): string {
  const url = URL.createObjectURL(new Blob([JSON.stringify(value, null, 2)], { type: 'application/json' }));
  const name = `${what}-${date.replaceAll(/[^0-9]/g, '').slice(0, 14)}.json`;
  el('a', { href: url, download: name }).click();
  // The browser reads the blob after the click has returned.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  return name;
}
