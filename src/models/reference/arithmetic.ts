// arithmetic.ts: the two arithmetics that a model's twin computes in: float64, and f32 rounded after every operation.

/** Rounding of results, and the sum of products that takes most of the time. */
export interface Arithmetic {
  readonly round: (x: number) => number;
  /** Of `count` elements of a weight's row from `first` on, and of an activation's from `at` on; in order. */
  readonly dot: (
    weights: Float32Array,
    first: number,
    values: Float64Array,
    at: number,
    count: number,
  ) => number;
}

/** float64. */
export const FLOAT64: Arithmetic = {
  round: (x) => x,
  dot: (weights, first, values, at, count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += weights[first + i]! * values[at + i]!;
    return sum;
  },
};

/** A naive f32 implementation: what it is off by is what a kernel's f32 may be off by. */
export const NAIVE_F32: Arithmetic = {
  round: Math.fround,
  dot: (weights, first, values, at, count) => {
    let sum = 0;
    for (let i = 0; i < count; i++)
      sum = Math.fround(sum + Math.fround(weights[first + i]! * values[at + i]!));
    return sum;
  },
};
