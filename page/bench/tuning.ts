// tuning.ts: what was tuned in this browser, remembered by it, with when that was.
import { plural } from '../../bench/text/format.ts';
import { messageOf } from '../../src/device/errors.ts';
import type { Tuning } from '../../src/index.ts';
import { NO_TUNING, parseTuning, withEntry } from '../../src/decode/tuning.ts';
import type { Tuned } from '../../bench/tune/tune.ts';

const KEY = 'gqa-tuning';
/** Days as YYYY-MM-DD, by device and shape. */
const SINCE_KEY = 'gqa-tuning-since';

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
  const since = daysRemembered();
  for (const { device, shape, entry } of found) {
    tuning = withEntry(tuning, device, shape, entry);
    since[`${device} ${shape}`] = new Date().toISOString().slice(0, 10);
  }
  try {
    localStorage.setItem(KEY, JSON.stringify(tuning));
    localStorage.setItem(SINCE_KEY, JSON.stringify(since));
    return true;
  } catch {
    // Storage is switched off or full.
    return false;
  }
}

/** A class of shapes that was tuned here, in words, and the day of it where that is known. */
export interface TunedShape {
  readonly shape: string;
  readonly since?: string;
}

/** All of them, of any device of this browser. */
export function tunedShapes(): TunedShape[] {
  const since = daysRemembered();
  return Object.entries(rememberedTuning().tuning.devices).flatMap(([device, shapes]) =>
    Object.keys(shapes).map((shape) => {
      const day = since[`${device} ${shape}`];
      return { shape: shapeWords(shape), ...(day !== undefined && { since: day }) };
    }),
  );
}

/** Later runs are as if nothing had been tuned. */
export function forgetTuning(): void {
  try {
    localStorage.removeItem(KEY);
    localStorage.removeItem(SINCE_KEY);
  } catch {
    // Storage is switched off: nothing was kept in it.
  }
}

/** "d128_rows4_heads8_f16" in words. */
export function shapeWords(shape: string): string {
  const [, dims, rows, heads, types] = /^d([\d-]+)_rows(\d+)_heads(\d+)_(.+)$/.exec(shape) ?? [];
  if (dims === undefined) return shape;
  const kvHeads = heads === '1' ? '1 KV head' : `up to ${heads} KV heads`;
  return `heads of ${dims}, ${plural(Number(rows), 'query head')} to a KV head, ${kvHeads}, ${types}`;
}

function daysRemembered(): Record<string, string> {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(SINCE_KEY) ?? '{}');
    const days = typeof value === 'object' && value !== null ? Object.entries(value) : [];
    return Object.fromEntries(days.filter((day): day is [string, string] => typeof day[1] === 'string'));
  } catch {
    return {};
  }
}
