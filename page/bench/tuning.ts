// tuning.ts: what was tuned in this browser, remembered by it.
import { messageOf } from '../../src/device/errors.ts';
import type { Tuning } from '../../src/index.ts';
import { NO_TUNING, parseTuning, withEntry } from '../../src/decode/tuning.ts';
import type { Tuned } from '../../bench/tune/tune.ts';

const KEY = 'gqa-tuning';

/** What to call it in messages. */
export const TUNING_SOURCE = `tuning in this browser's storage (${KEY})`;

/** What was measured in this browser so far, and what is wrong with it if it cannot be read. */
export function rememberedTuning(): { tuning: Tuning; fault?: string } {
  let text: string | null;
  try {
    text = localStorage.getItem(KEY);
  } catch {
    // Storage is switched off: nothing was kept in it.
    return { tuning: NO_TUNING };
  }
  try {
    return { tuning: text === null ? NO_TUNING : parseTuning(text, TUNING_SOURCE) };
  } catch (error) {
    return { tuning: NO_TUNING, fault: `${messageOf(error)}; it is not used` };
  }
}

/** Adds what a search found; whether it could be kept. */
export function rememberTuning(found: readonly Tuned[]): boolean {
  let { tuning } = rememberedTuning();
  for (const { device, shape, entry } of found) tuning = withEntry(tuning, device, shape, entry);
  try {
    localStorage.setItem(KEY, JSON.stringify(tuning));
    return true;
  } catch {
    // Storage is switched off or full.
    return false;
  }
}
