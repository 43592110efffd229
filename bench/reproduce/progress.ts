// progress.ts: how much of a run of the paper's figures is done, and how long the rest will take.
import type { TrainingSize } from '../../src/train/sizes.ts';
import { curveSteps } from './lab.ts';
import type { ReproduceOptions } from './options.ts';

/** Steps of all trainings together; those of the original only where it is still to be trained. */
export function allSteps(
  { seeds, alphas, kvHeads, methods }: Pick<ReproduceOptions, 'seeds' | 'alphas' | 'kvHeads' | 'methods'>,
  size: TrainingSize,
  isTrained: boolean,
): number {
  const curves = kvHeads.length * methods.length + 1;
  return seeds.length * ((isTrained ? 0 : size.steps) + curves * curveSteps(size, alphas));
}

/** Steps that are done, and the time that they took. */
export class StepCount {
  readonly #all: number;
  #done = 0;
  /** Of the steps but the first ones, which compile. */
  #ms = 0;
  #timed = 0;
  #last: number | undefined;

  constructor(all: number) {
    this.#all = all;
  }

  /** Counts steps that have ended now. */
  add(steps: number, now = performance.now()): void {
    this.#done += steps;
    if (this.#last !== undefined) {
      this.#ms += now - this.#last;
      this.#timed += steps;
    }
    this.#last = now;
  }

  /** Time that is not the steps': a pause. */
  skip(): void {
    this.#last = undefined;
  }

  /** From 0 to 1. */
  get share(): number {
    return this.#all === 0 ? 1 : this.#done / this.#all;
  }

  /** Milliseconds that the rest will take at the rate so far; undefined before there is one. */
  get leftMs(): number | undefined {
    if (this.#timed === 0) return undefined;
    return (this.#ms / this.#timed) * (this.#all - this.#done);
  }
}
