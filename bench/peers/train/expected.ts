// expected.ts: the losses of a training's first steps in float64, and how far off a contestant's may be.
import { worstError } from '../../../src/reference/verify.ts';
import { gradientTwin, type Tensors } from '../../../src/train/reference/gradientTwin.ts';
import type { RowCheck } from '../../schema/schema.ts';
import { ADAMW, type TrainProblem } from './problem.ts';

/** Steps whose losses are compared: the second is the first behind an update, the others those behind moments of several. */
export const CHECKED_STEPS = 4;

/** Nats that each loss may be off. What f32 comes to is a tenth of that or less; what a wrong update does is more (test/bench/peers/train). */
export const TOLERANCE = 5e-6;

/** AdamW's numbers. */
export type Update = { readonly [K in keyof typeof ADAMW]: number };

interface Moments {
  readonly first: Float64Array;
  readonly second: Float64Array;
}

/** Mean losses of the first steps, each before its update. */
export function expectLosses(problem: TrainProblem, update: Update = ADAMW): number[] {
  const { spec, size } = problem;
  const tensors: Tensors = new Map(
    [...problem.tensors].map(([name, { shape, values }]) => [
      name,
      { shape, values: Float64Array.from(values) },
    ]),
  );
  const moments = new Map(
    [...tensors].map(
      ([
        name,
        {
          values: { length },
        },
      ]): [string, Moments] => [name, { first: new Float64Array(length), second: new Float64Array(length) }],
    ),
  );
  const rowsOf = (list: Uint32Array) =>
    Array.from({ length: size.batch }, (_, row) => [
      ...list.subarray(row * size.context, (row + 1) * size.context),
    ]);
  return Array.from({ length: CHECKED_STEPS }, (_, done) => {
    const { tokens, targets } = problem.batchOf(done + 1);
    const { loss, gradients } = gradientTwin(spec, tensors, {
      tokens: rowsOf(tokens),
      targets: rowsOf(targets),
    });
    const norm = Math.hypot(...[...gradients.values()].map((gradient) => Math.hypot(...gradient)));
    for (const [name, { shape, values }] of tensors) {
      const decay = shape.length > 1 ? update.weightDecay : 0;
      const factor = Math.min(1, update.clip / norm);
      adamw(values, gradients.get(name)!, moments.get(name)!, { ...update, decay, factor, step: done + 1 });
    }
    return loss;
  });
}

/** One step of Loshchilov and Hutter's algorithm 2 (2019), with the factor of clipping. */
function adamw(
  values: Float64Array,
  gradients: Float64Array,
  { first, second }: Moments,
  numbers: Update & { readonly decay: number; readonly factor: number; readonly step: number },
): void {
  const { beta1, beta2, eps, rate, decay, factor, step } = numbers;
  for (let i = 0; i < values.length; i++) {
    const gradient = factor * gradients[i]!;
    first[i] = beta1 * first[i]! + (1 - beta1) * gradient;
    second[i] = beta2 * second[i]! + (1 - beta2) * gradient ** 2;
    const [m, v] = [first[i]! / (1 - beta1 ** step), second[i]! / (1 - beta2 ** step)];
    values[i]! -= rate * (m / (Math.sqrt(v) + eps) + decay * values[i]!);
  }
}

/** Holds a contestant's losses against those. Throws Error for another number of them. */
export function checkLosses(expected: readonly number[], losses: readonly number[]): RowCheck {
  if (losses.length !== expected.length)
    throw new Error(`expected losses of ${expected.length} steps, got ${losses.length}`);
  const { error } = worstError(losses, expected);
  return { ref: 'cpu-f64', pass: error <= TOLERANCE, maxAbsErr: error, bound: TOLERANCE };
}
