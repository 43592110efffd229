// share.ts: a result to take away: Markdown on the clipboard, JSON as a file. Nothing is sent anywhere.
import { markdownReport } from '../report.ts';
import type { BenchResult } from '../schema.ts';
import { byId, el } from './dom.ts';

/** Shows the report, and the buttons to copy and save it, for this result; hides them without one. */
export function showSharing(result: BenchResult | undefined): void {
  byId('share').hidden = !result;
  byId('report').hidden = !result;
  byId('shared').textContent = '';
  if (!result) return;
  const report = markdownReport(result);
  byId('report-text').textContent = report;
  byId('copy').onclick = () => void copy(report);
  byId('download').onclick = () => download(result);
}

async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    byId('shared').textContent = 'Copied.';
  } catch {
    // A browser that allows no clipboard: the text stands on the page, selected, ready to be copied by hand.
    byId('report', HTMLDetailsElement).open = true;
    getSelection()?.selectAllChildren(byId('report-text'));
    byId('shared').textContent =
      'This browser did not allow it; the report is selected below, copy it from there.';
  }
}

function download(result: BenchResult): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(result, null, 2)], { type: 'application/json' }));
  const name = `gqa-bench-${result.context.date.replaceAll(/[^0-9]/g, '').slice(0, 14)}.json`;
  el('a', { href: url, download: name }).click();
  // The browser reads the blob after the click has returned.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  byId('shared').textContent = `Saved as ${name}.`;
}
