// timeLeft.ts: how long work that is partly done will still take, and how people say that.

/** So much has to be done, and to have taken so long, before the rest can be told from it. */
const LEAST = { share: 0.02, ms: 2000 };

/** Tells from how long a share of the work has taken how long the rest will. */
export class TimeLeft {
  #first: { readonly share: number; readonly ms: number } | undefined;

  /** Milliseconds left at a time, from the share done by then; undefined before there is enough to tell it from. */
  at(ms: number, share: number): number | undefined {
    this.#first ??= { share, ms };
    const [done, took] = [share - this.#first.share, ms - this.#first.ms];
    if (done < LEAST.share || took < LEAST.ms) return undefined;
    return (took * (1 - share)) / done;
  }
}

/** `40 s`, `2 min`, `1 h 20 min`, `3 days`. */
export function formatTimeLeft(ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  if (hours < 48) return rest === 0 ? `${hours} h` : `${hours} h ${rest} min`;
  return `${Math.round(hours / 24)} days`;
}
