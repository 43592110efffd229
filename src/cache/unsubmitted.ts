// unsubmitted.ts: how many appends recorded into a layer may still be submitted in order.
import type { Fate } from '../device/encoders.ts';

/**
 * Work recorded into a layer, by encoder, in order. Work is submitted in the order it was recorded in: all that lies before
 * something that was submitted has been submitted too, or comes too late.
 */
export class Unsubmitted {
  #recorded: { readonly fate: Fate; appends: number }[] = [];

  /** Notes work, and how many appends it is. What is not known of counts as submitted. */
  note(fate: Fate | undefined, appends: number): void {
    const last = this.#recorded.at(-1);
    if (last && last.fate === fate) {
      last.appends += appends;
      return;
    }
    if (!fate || last?.fate.submitted) this.clear();
    if (fate) this.#recorded.push({ fate, appends });
  }

  /** Appends behind all that was submitted. */
  appends(): number {
    const last = this.#recorded.findLastIndex(({ fate }) => fate.submitted);
    return this.#recorded.slice(last + 1).reduce((sum, { appends }) => sum + appends, 0);
  }

  /** Forgets all: it is expected no more, or due already. */
  clear(): void {
    if (this.#recorded.length > 0) this.#recorded = [];
  }
}
