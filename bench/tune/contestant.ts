// contestant.ts: a variant made ready on every workload of a search, and its time compared with another's, sample by sample in turn.
import { GqaError, type GqaDevice, type TunedEntry } from '../../src/index.ts';
import { wrongText } from '../check/rowCheck.ts';
import type { Workload } from '../run/workload.ts';
import { timePerStep, warmUp } from '../run/sampling.ts';
import { createTarget, type Target } from '../run/target.ts';
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

/** A kernel on one workload, and how many of its steps make a sample. */
interface Prepared {
  readonly target: Target;
  readonly steps: number;
}

/** An entry made ready on every workload, its results right. */
export class Contestant {
  readonly entry: TunedEntry;
  readonly #timer: PassTimer;
  readonly #targets: readonly Prepared[];

  private constructor(entry: TunedEntry, timer: PassTimer, targets: readonly Prepared[]) {
    this.entry = entry;
    this.#timer = timer;
    this.#targets = targets;
  }

  static async create(
    device: GqaDevice,
    timer: PassTimer,
    workloads: readonly Workload[],
    entry: TunedEntry,
  ): Promise<Contestant> {
    const targets: Prepared[] = [];
    try {
      for (const workload of workloads) {
        const target = await createTarget(device, workload, { tuned: entry, variant: entry.variant });
        targets.push({ target, steps: 0 });
        const check = await target.check();
        if (!check.pass) throw new GqaError('wrong-result', `wrong result: ${wrongText(check)}`);
        targets[targets.length - 1] = { target, steps: await warmUp(device, timer, target) };
      }
      return new Contestant(entry, timer, targets);
    } catch (error) {
      for (const { target } of targets) target.destroy();
      throw error;
    }
  }

  /** Logarithms of this one's time over the other's, mean over the workloads, one of each round of samples taken in turn. */
  async against(other: Contestant, rounds: number): Promise<number[]> {
    const logs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      let sum = 0;
      for (let workload = 0; workload < this.#targets.length; workload++) {
        sum += Math.log((await this.#sample(workload)) / (await other.#sample(workload)));
      }
      logs.push(sum / this.#targets.length);
    }
    return logs;
  }

  async #sample(workload: number): Promise<number> {
    const { target, steps } = this.#targets[workload]!;
    return timePerStep(this.#timer, target, steps);
  }

  destroy(): void {
    for (const { target } of this.#targets) target.destroy();
  }
}
