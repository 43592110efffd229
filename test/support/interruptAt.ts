// interruptAt.ts: presses Ctrl-C, as far as a command in this process can tell, when its progress says something.
import { expect, vi } from 'vitest';
import { Progress } from '../../src/node/command/progress.ts';

/** Calls the newest listener of the signal, as the process would. */
export function interruptNow(signal: NodeJS.Signals = 'SIGINT'): void {
  const [newest] = process.listeners(signal).slice(-1);
  newest!(signal);
}

/** Interrupts when progress is shown that contains the text, once. Undone by `vi.restoreAllMocks()`. */
export function interruptAt(text: string, signal: NodeJS.Signals = 'SIGINT'): void {
  let done = false;
  // oxlint-disable-next-line unbound-method -- called on the progress that the spy is called on
  const { show } = Progress.prototype;
  vi.spyOn(Progress.prototype, 'show').mockImplementation(function (this: Progress, shown, share) {
    show.call(this, shown, share);
    if (done || !shown.includes(text)) return;
    done = true;
    interruptNow(signal);
  });
}

/** Interrupts as soon as somebody listens for it. */
export async function interruptWhenListening(signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
  const before = process.listenerCount(signal);
  await vi.waitFor(() => expect(process.listenerCount(signal)).toBeGreaterThan(before), 60_000);
  interruptNow(signal);
}
