// takeAway.ts: text to the clipboard, files to the disk. Nothing is sent anywhere.
import { el } from './dom.ts';

/** Puts text on the clipboard; false in a browser that allows none. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Saves a value as a JSON file; its name has the date in it, and is given back. */
export function saveJson(what: string, date: string, value: unknown): string {
  const name = `${what}-${date.replaceAll(/[^0-9]/g, '').slice(0, 14)}.json`;
  saveFile(name, new Blob([JSON.stringify(value, null, 2)], { type: 'application/json' }));
  return name;
}

/** Saves a file under this name. */
export function saveFile(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  el('a', { href: url, download: name }).click();
  // The browser reads the blob after the click has returned.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
