// timeLeft.ts: how long a run will still take, by what was expected and by how fast it goes. No DOM.
import { durationText } from './efforts.ts';

/** Of one run. */
export class TimeLeft {
  readonly #expectedMs: number;
  #goneMs = 0;
  #last: number;

  /** `now` in ms of any clock. */
  constructor(expectedMs: number, now: number) {
    this.#expectedMs = expectedMs;
    this.#last = now;
  }

  /** Time goes by, or does not count because the run waits. */
  tick(now: number, waits = false): void {
    if (!waits) this.#goneMs += now - this.#last;
    this.#last = now;
  }

  /** What is left, in ms, with so much of the run done: 0 to 1. */
  ms(share: number): number {
    if (share >= 1) return 0;
    // The start says little of how fast a machine is, the second half all.
    const trust = Math.min(1, 2 * share);
    const total = share > 0 ? this.#goneMs / share : 0;
    return (1 - share) * (trust * total + (1 - trust) * this.#expectedMs);
  }

  /** "about 8 s left". */
  text(share: number): string {
    return share >= 1 ? 'almost done' : `${durationText(this.ms(share))} left`;
  }
}
