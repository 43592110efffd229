// errorRule.ts: how far a kernel's numbers may be from float64, and the check that they are not.
import { expect } from 'vitest';
import { UNWRITTEN } from '../../src/reference/attention.ts';
import { BAD_SCORE, NEG_MAX } from '../reference/decodeTiles.ts';
import { SENTINEL } from './runKernel.ts';

/**
 * Holds numbers against truth by flash-attention's rule: the worst error may be twice that of a naive f32
 * implementation plus 1e-6 of the largest expected magnitude. Infinities, NEG_MAX and BAD_SCORE must come back as they are;
 * NaN is a failure wherever the truth is a number, and a number wherever the truth is NaN.
 */
export function expectWithinRule(
  what: string,
  got: ArrayLike<number>,
  truth: ArrayLike<number>,
  naive: ArrayLike<number>,
): void {
  expect(got.length, `${what}: how many`).toBe(truth.length);
  let largest = 0;
  for (let i = 0; i < truth.length; i++) {
    const stands = truth[i] === NEG_MAX || truth[i] === BAD_SCORE; // for something else
    if (Number.isFinite(truth[i]) && !stands) largest = Math.max(largest, Math.abs(truth[i]!));
  }
  const bound = 2 * worst(naive, truth).error + 1e-6 * largest;
  expect(bound, `${what}: the references must be numbers, or anything would pass`).toBeLessThan(Infinity);
  const { error, at } = worst(got, truth);
  const place = `${what}[${at}]: expected ${truth[at]} within ${bound}, got ${got[at]}`;
  expect(error, place).toBeLessThanOrEqual(bound);
}

/** The same for an output that started from `start`: where the truth is UNWRITTEN, nothing may have been written. */
export function expectWritten(
  what: string,
  got: ArrayLike<number>,
  truth: ArrayLike<number>,
  naive: ArrayLike<number>,
  start: (i: number) => number = () => Math.fround(SENTINEL),
): void {
  expect(got.length, `${what}: how many`).toBe(truth.length);
  const all = Array.from(truth, (_, i) => i);
  const strays = all.filter((i) => truth[i] === UNWRITTEN && !Object.is(got[i], start(i)));
  expect(strays.map((i) => `${what}[${i}] = ${got[i]}`).slice(0, 5), 'written, but should not be').toEqual(
    [],
  );
  const written = all.filter((i) => truth[i] !== UNWRITTEN);
  const pick = (values: ArrayLike<number>) => written.map((i) => values[i]!);
  expectWithinRule(what, pick(got), pick(truth), pick(naive));
}

function worst(got: ArrayLike<number>, want: ArrayLike<number>): { error: number; at: number } {
  let error = 0;
  let at = 0;
  for (let i = 0; i < want.length; i++) {
    const alike = got[i] === want[i] || (Number.isNaN(got[i]) && Number.isNaN(want[i]));
    const difference = alike ? 0 : Math.abs(got[i]! - want[i]!);
    if (difference <= error) continue;
    error = Number.isNaN(difference) ? Infinity : difference;
    at = i;
  }
  return { error, at };
}

/** The floor that stands for minus infinity in a kernel's log-sum-exp, as the reference writes it. */
export function withoutFloor(lse: ArrayLike<number>): number[] {
  return Array.from(lse, (x, row) => {
    if (x === -Infinity) throw new Error(`lse[${row}]: a kernel must write a finite floor, got -Infinity`);
    return x === Math.fround(-3.0e38) ? -Infinity : x;
  });
}
