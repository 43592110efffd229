// sentinel.ts: what the browser remembers of a run while it goes on, so that one that took its tab with it is told at the next visit.

const KEY = 'gqa-unfinished-run';
/** Held while a run goes on: the mark of another tab's is no mark of an end. */
const LOCK = 'gqa-run';

let release = () => {};
let marked: string | undefined;

/** A run begins. */
export function markRun(): void {
  const over = new Promise<void>((resolve) => (release = resolve));
  void locks()?.request(LOCK, { mode: 'shared' }, () => over);
  markRow('before its first row');
}

/** It has come to this row or step, in words; of rounds of samples the first says enough. */
export function markRow(text: string): void {
  const step = text.replace(/: round \d+$/, '');
  if (step === marked) return;
  marked = step;
  store((storage) => storage.setItem(KEY, step));
}

/** It has ended, however it did. */
export function unmarkRun(): void {
  release();
  marked = undefined;
  store((storage) => storage.removeItem(KEY));
}

/** Where the last run was when it and its tab ended, if it did; told once. */
export async function unfinishedRun(): Promise<string | undefined> {
  const held = (await locks()?.query())?.held ?? [];
  if (held.some(({ name }) => name === LOCK)) return undefined;
  let text: string | null = null;
  store((storage) => {
    text = storage.getItem(KEY);
    storage.removeItem(KEY);
  });
  return text ?? undefined;
}

/** Older browsers, and pages from an insecure address, have none. */
function locks(): LockManager | undefined {
  return navigator.locks;
}

function store(act: (storage: Storage) => void): void {
  try {
    act(localStorage);
  } catch {
    // Storage is switched off or full: nothing is remembered.
  }
}
