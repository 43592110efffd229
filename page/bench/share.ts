// share.ts: a result to take away: Markdown on the clipboard, JSON as a file. Nothing is sent anywhere.
import { markdownReport } from '../../bench/report/report.ts';
import type { BenchResult } from '../../bench/schema/schema.ts';
import { byId } from '../shell/dom.ts';
import { copyText, saveJson } from '../shell/takeAway.ts';

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

/** Shows a result's report, and lets it be copied and saved; neither without one. */
export function showSharing(result: BenchResult | undefined): void {
  for (const id of ['copy', 'download']) byId(id, HTMLButtonElement).disabled = !result;
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

function download(result: BenchResult): void {
  byId('shared').textContent = `Saved as ${saveJson('gqa-bench', result.context.date, result)}.`;
}
