// wallClock.ts: the wall clock as a timer of device work: how finely it ticks, and how late it learns that work is done.
import { median } from '../schema/stats.ts';

/** A host's time in milliseconds. */
export interface HostClock {
  now(): number;
  sleep(ms: number): Promise<void>;
}

const HOST_CLOCK: HostClock = {
  now: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** What a host does around a wait for the device. */
export interface WaitHooks {
  /** Called around every wait: a host whose waiting costs CPU time can lessen that there. */
  readonly quiet?: () => () => void;
  /** Default: performance.now and setTimeout. */
  readonly clock?: HostClock;
}

const EMPTIES = 9;

/** An empty submission that takes longer is no matter of work, but of a host that looks for finished work now and then. */
const POLLING_NS = 5e6;

/** Between two empty submissions of a nudged wait. */
const NUDGE_MS = 1;

/** Times submissions from their start to the moment when the host knows that they are done. */
export class WallClock {
  readonly #queue: GPUQueue;
  readonly #quiet: (() => () => void) | undefined;
  readonly #clock: HostClock;
  #nudging = false;
  #stepNs = 0;
  #overheadNs: number | undefined;
  #lateNs = 0;

  constructor(queue: GPUQueue, { quiet, clock = HOST_CLOCK }: WaitHooks) {
    this.#queue = queue;
    this.#quiet = quiet;
    this.#clock = clock;
  }

  /** The smallest difference between two readings of the clock. */
  get stepNs(): number {
    return this.#stepNs;
  }

  /** Median time of a submission that does nothing; not known before `calibrate`. */
  get overheadNs(): number | undefined {
    return this.#overheadNs;
  }

  /** How far off a time may be: the step, or nearly the longest that an empty submission took. */
  get lateNs(): number {
    return this.#lateNs;
  }

  /**
   * Measures the clock. `empty` times a submission that does nothing. Firefox looks for finished work every 100 ms, and
   * at every submission: where waits are that coarse, they are nudged by empty submissions if that helps.
   */
  async calibrate(empty: () => Promise<number>): Promise<void> {
    this.#stepNs = smallestStep(this.#clock);
    let walls = await repeated(empty);
    if (median(walls) > POLLING_NS) {
      this.#nudging = true;
      const nudged = await repeated(empty);
      this.#nudging = median(nudged) < median(walls) / 2;
      if (this.#nudging) walls = nudged;
    }
    this.#overheadNs = median(walls);
    // All but the longest: one is too easily lengthened by another program.
    this.#lateNs = Math.max(this.#stepNs, walls.toSorted((a, b) => a - b).at(-2)!);
  }

  /** Nanoseconds from the call of `submit` until the queue is known to be done. */
  async time(submit: () => void): Promise<number> {
    const start = this.#clock.now();
    submit();
    await this.#done();
    // Whole nanoseconds: milliseconds as fractions carry digits that no clock has.
    return Math.round((this.#clock.now() - start) * 1e6);
  }

  async #done(): Promise<void> {
    const loud = this.#quiet?.();
    try {
      await this.hurried(this.#queue.onSubmittedWorkDone());
    } finally {
      loud?.();
    }
  }

  /** Waits for something that the host learns when it looks for finished work, with nudges if they help. */
  async hurried<T>(answer: Promise<T>): Promise<T> {
    if (!this.#nudging) return answer;
    const known = answer.then(() => true);
    const pause = () => this.#clock.sleep(NUDGE_MS).then(() => false);
    while (!(await Promise.race([known, pause()]))) this.#queue.submit([]);
    return answer;
  }
}

async function repeated(measure: () => Promise<number>): Promise<number[]> {
  const values: number[] = [];
  for (let i = 0; i < EMPTIES; i++) values.push(await measure());
  return values;
}

const STEPS_SEEN = 16;
const MOST_READINGS = 1e7;

/** The smallest difference between two readings of a clock, in ns; infinite for one that stands still. */
export function smallestStep(clock: Pick<HostClock, 'now'>): number {
  let [least, last] = [Infinity, clock.now()];
  for (let seen = 0, readings = 0; seen < STEPS_SEEN && readings < MOST_READINGS; readings++) {
    const now = clock.now();
    if (now === last) continue;
    least = Math.min(least, now - last);
    last = now;
    seen++;
  }
  return Math.round(least * 1e6);
}
