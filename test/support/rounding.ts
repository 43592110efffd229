// rounding.ts: how far numbers of f32 arithmetic may be from the exact ones, carried through each operation.
//
// Every operation adds what its own rounding may be: half a unit in the last place of f32 (at most 2^-24 of the result) for sums and
// products, and for the others what WGSL allows: 2.5 units for a quotient, 2 for inverseSqrt, 3 + 2|x| for exp, 3 (or 2^-21 from 0.5
// to 2) for log, 1e-5 for tanh, 4.5 for sqrt, which is 1 / inverseSqrt.

/** What is half a unit in the last place, at most, relative to a number. */
const HALF_UNIT = 2 ** -24;

/** A number, and how far f32 arithmetic may be from it. */
export interface Rounded {
  readonly value: number;
  readonly error: number;
}

/** A number that f32 holds. */
export function exactly(value: number): Rounded {
  return { value, error: 0 };
}

/** Adds an operation's own rounding, of so many half units, to what comes of its operands'. */
function rounded(value: number, carried: number, halfUnits = 1): Rounded {
  return { value, error: carried + halfUnits * HALF_UNIT * (Math.abs(value) + carried) };
}

export function plus(a: Rounded, b: Rounded): Rounded {
  return rounded(a.value + b.value, a.error + b.error);
}

export function minus(a: Rounded, b: Rounded): Rounded {
  return plus(a, { value: -b.value, error: b.error });
}

/** A number that is rounded once, to what f32 holds. */
export function nearly(value: number): Rounded {
  return rounded(value, 0);
}

/** A sum in any order. */
export function sumOf(a: readonly Rounded[]): Rounded {
  return sumOfProducts(a, () => exactly(1));
}

function productError(a: Rounded, b: Rounded): number {
  return Math.abs(a.value) * b.error + Math.abs(b.value) * a.error + a.error * b.error;
}

export function times(a: Rounded, b: Rounded): Rounded {
  return rounded(a.value * b.value, productError(a, b));
}

export function over(a: Rounded, b: Rounded): Rounded {
  const least = Math.abs(b.value) - b.error;
  const value = a.value / b.value;
  return rounded(value, least > 0 ? (a.error + Math.abs(value) * b.error) / least : Infinity, 5);
}

/**
 * A sum of products in any order, products rounded before they are added or not: n products are rounded once each, and their sum
 * n - 1 times, each time by no more than half a unit of what all magnitudes come to.
 */
export function sumOfProducts(a: readonly Rounded[], b: (i: number) => Rounded): Rounded {
  let [value, carried, magnitude] = [0, 0, 0];
  for (const [i, each] of a.entries()) {
    const other = b(i);
    value += each.value * other.value;
    const error = productError(each, other);
    carried += error;
    magnitude += Math.abs(each.value * other.value) + error;
  }
  // (1 + u)^n - 1, for what is rounded n times.
  return { value, error: carried + magnitude * Math.expm1(a.length * Math.log1p(HALF_UNIT)) };
}

export function inverseRoot(a: Rounded): Rounded {
  const value = 1 / Math.sqrt(a.value);
  const largest = a.value > a.error ? 1 / Math.sqrt(a.value - a.error) : Infinity;
  return rounded(value, largest - value, 4);
}

export function rootOf(a: Rounded): Rounded {
  const value = Math.sqrt(a.value);
  const least = Math.sqrt(Math.max(0, a.value - a.error));
  return rounded(value, Math.max(value - least, Math.sqrt(a.value + a.error) - value), 9);
}

export function expOf(a: Rounded): Rounded {
  const value = Math.exp(a.value);
  const carried = value === 0 ? Math.exp(a.value + a.error) : value * Math.expm1(a.error);
  return rounded(value, carried, 2 * (3 + 2 * (Math.abs(a.value) + a.error)));
}

export function logOf(a: Rounded): Rounded {
  const value = Math.log(a.value);
  const carried = a.value > a.error ? -Math.log1p(-a.error / a.value) : Infinity;
  const { error } = rounded(value, carried, 6);
  return { value, error: Math.max(error, carried + 2 ** -21) };
}

export function tanhOf(a: Rounded): Rounded {
  const value = Math.tanh(a.value);
  const carried = Math.max(Math.tanh(a.value + a.error) - value, value - Math.tanh(a.value - a.error));
  return { value, error: carried + 1e-5 };
}
