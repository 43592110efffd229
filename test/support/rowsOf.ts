// rowsOf.ts: random rows for kernels on rows, poison behind them, and what of a result is out of bounds.
import { normals } from '../../src/numbers/random.ts';
import { SENTINEL, unwritten } from './runKernel.ts';

/** Rows of numbers. */
export type Rows = readonly (readonly number[])[];

/** Normal numbers that f32 holds, spread and shifted: [rows, width]. */
export function randomRows(
  seed: number,
  rows: number,
  width: number,
  { spread = 1, shift = 0 }: { readonly spread?: number; readonly shift?: number } = {},
): number[][] {
  const numbers = normals(seed, rows * width);
  return Array.from({ length: rows }, (_, row) =>
    Array.from(numbers.subarray(row * width, (row + 1) * width), (x) => Math.fround(x * spread + shift)),
  );
}

/** Rows one behind another, and one of NaN: whoever reads it shows. */
export function poisoned(rows: Rows): Float32Array<ArrayBuffer> {
  return Float32Array.from([...rows.flat(), ...rows[0]!.map(() => NaN)]);
}

/** Where results go, or are added to what is there, with a row behind that has to stay. */
export function withSpareRow(rows: number, width: number, before?: Rows): Float32Array<ArrayBuffer> {
  const out = unwritten((rows + 1) * width);
  if (before) out.set(before.flat());
  return out;
}

/** The first few numbers of [rows + 1, width] that are farther from their truth than they may be, or that stand in the row behind. */
export function outOfBounds(
  got: ArrayLike<number>,
  truth: Rows,
  bound: (row: number, i: number) => number,
): string[] {
  const wrong: string[] = [];
  const width = truth[0]!.length;
  for (const [at, value] of Array.from(got).entries()) {
    const [row, i] = [Math.floor(at / width), at % width];
    const [want, within] = row < truth.length ? [truth[row]![i]!, bound(row, i)] : [Math.fround(SENTINEL), 0];
    if (!(Math.abs(value - want) <= within))
      wrong.push(`[${row}, ${i}]: expected ${want} within ${within}, got ${value}`);
  }
  return wrong.slice(0, 5);
}
