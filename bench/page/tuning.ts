// tuning.ts: what was tuned in this browser, remembered by it.
import { NO_TUNING, parseTuning, withEntry, type Tuning } from '../../src/index.ts';
import type { Tuned } from '../tune.ts';

const KEY = 'gqa-tuning';

/** What was measured in this browser so far; nothing where storage is switched off or holds something else. */
export function rememberedTuning(): Tuning {
  try {
    const text = localStorage.getItem(KEY);
    return text === null ? NO_TUNING : parseTuning(text, 'local storage');
  } catch {
    return NO_TUNING;
  }
}

/** Adds what a search found. */
export function rememberTuning(found: readonly Tuned[]): void {
  let tuning = rememberedTuning();
  for (const { device, shape, entry } of found) tuning = withEntry(tuning, device, shape, entry);
  try {
    localStorage.setItem(KEY, JSON.stringify(tuning));
  } catch {
    // Storage is switched off or full: what was found is lost with the page.
  }
}
