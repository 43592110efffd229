// schedule.ts: the learning rate of each step; pure.
import { ShapeError } from '../device/errors.ts';
import { checkOneOf, describe } from '../device/options.ts';

export const SCHEDULES = ['cosine', 'constant'] as const;

/** `cosine` falls to a tenth of the peak, `constant` stays there, as the GQA paper's uptraining does. */
export type Schedule = (typeof SCHEDULES)[number];

/** How the learning rate goes. */
export interface RateOptions {
  /** The greatest learning rate. */
  readonly rate: number;
  /** How it goes on behind the warm-up. */
  readonly schedule: Schedule;
  /** Share of the steps in which the rate rises from zero, 0 to less than 1. */
  readonly warmup: number;
  /** Steps of the whole training. */
  readonly steps: number;
}

/** What a cosine comes down to, of the peak. */
const LEAST = 0.1;

/** Throws ShapeError for numbers that no rate comes from. */
export function checkRate({ rate, schedule, warmup }: RateOptions): void {
  if (typeof rate !== 'number' || !(rate > 0) || !Number.isFinite(rate))
    throw new ShapeError(`learning rate: expected a positive number, got ${describe(rate)}`);
  if (typeof warmup !== 'number' || !(warmup >= 0 && warmup < 1))
    throw new ShapeError(
      `warm-up: expected a share of the steps from 0 to less than 1, got ${describe(warmup)}`,
    );
  checkOneOf('schedule', schedule, SCHEDULES);
}

/** The rate of a step, from 1 on. */
export function rateAt({ rate, schedule, warmup, steps }: RateOptions, step: number): number {
  const rising = Math.round(warmup * steps);
  if (step <= rising) return (rate * step) / rising;
  if (schedule === 'constant') return rate;
  const share = (step - rising) / Math.max(1, steps - rising);
  return rate * (LEAST + ((1 - LEAST) * (1 + Math.cos(Math.PI * Math.min(1, share)))) / 2);
}
