// contestant.ts: a variant made ready on every bed of a search, and its time compared with another's, sample by sample in turn.
import { GqaError, type GqaDevice, type TunedEntry } from '../../src/index.ts';
import { wrongText } from '../check/rowCheck.ts';
import type { Bed } from '../run/bed.ts';
import { timePerStep, warmUp } from '../run/sampling.ts';
import { createSubject, type Subject } from '../run/subject.ts';
import type { PassTimer } from '../run/timer.ts';
import { median, medianInterval } from '../schema/stats.ts';

/** A ratio of times and its 95 % interval. */
export interface Comparison {
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

/** What the logarithms of the rounds come to. */
export function comparison(logs: readonly number[]): Comparison {
  const [low, high] = medianInterval(logs) ?? [-Infinity, Infinity];
  return { ratio: Math.exp(median(logs)), low: Math.exp(low), high: Math.exp(high) };
}

/** A kernel on one bed, and how many of its steps make a sample. */
interface Prepared {
  readonly subject: Subject;
  readonly steps: number;
}

/** An entry made ready on every bed, its results right. */
export class Contestant {
  readonly entry: TunedEntry;
  readonly #timer: PassTimer;
  readonly #subjects: readonly Prepared[];

  private constructor(entry: TunedEntry, timer: PassTimer, subjects: readonly Prepared[]) {
    this.entry = entry;
    this.#timer = timer;
    this.#subjects = subjects;
  }

  static async create(
    device: GqaDevice,
    timer: PassTimer,
    beds: readonly Bed[],
    entry: TunedEntry,
  ): Promise<Contestant> {
    const subjects: Prepared[] = [];
    try {
      for (const bed of beds) {
        const subject = await createSubject(device, bed, { tuned: entry, variant: entry.variant });
        subjects.push({ subject, steps: 0 });
        const check = await subject.check();
        if (!check.pass) throw new GqaError('wrong-result', `wrong result: ${wrongText(check)}`);
        subjects[subjects.length - 1] = { subject, steps: await warmUp(device, timer, subject) };
      }
      return new Contestant(entry, timer, subjects);
    } catch (error) {
      for (const { subject } of subjects) subject.destroy();
      throw error;
    }
  }

  /** Logarithms of this one's time over the other's, mean over the beds, one of each round of samples taken in turn. */
  async against(other: Contestant, rounds: number): Promise<number[]> {
    const logs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      let sum = 0;
      for (let bed = 0; bed < this.#subjects.length; bed++) {
        sum += Math.log((await this.#sample(bed)) / (await other.#sample(bed)));
      }
      logs.push(sum / this.#subjects.length);
    }
    return logs;
  }

  async #sample(bed: number): Promise<number> {
    const { subject, steps } = this.#subjects[bed]!;
    return timePerStep(this.#timer, subject, steps);
  }

  destroy(): void {
    for (const { subject } of this.#subjects) subject.destroy();
  }
}
