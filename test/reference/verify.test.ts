// verify.test.ts: when an output passes: the error rule, empty rows, and values that must never pass.
import { describe, expect, test } from 'vitest';
import { randomProblem } from '../../src/reference/problem.ts';
import { expect64, verify } from '../../src/reference/verify.ts';
import { LSE_EMPTY } from '../../src/index.ts';
import { attention } from '../../src/reference/attention.ts';

// Two sequences of two heads, one of them empty.
const problem = randomProblem({
  batch: 2,
  numQHeads: 2,
  numKvHeads: 1,
  headDim: 64,
  kvLens: [9, 0],
  capacity: 10,
});
const expected = expect64(problem);

/** What a kernel without error would give, changed by `change`. */
function verdictOf(change: (o: Float32Array, lse: Float32Array) => void = () => undefined) {
  const { o, lse } = attention(problem);
  const got = Float32Array.from(lse, (x) => (x === -Infinity ? LSE_EMPTY : x));
  const out = Float32Array.from(o);
  change(out, got);
  return verify(expected, out, got);
}

describe('verify', () => {
  test('a right result passes, with its error and the bounds', () => {
    const { pass, maxAbsErr, bound, lseAbsErr, lseBound } = verdictOf();
    expect(pass).toBe(true);
    expect(maxAbsErr).toBeLessThan(1e-7); // the rounding to f32
    expect(bound).toBeLessThan(2e-6);
    expect(lseAbsErr).toBeLessThan(lseBound);
  });

  test('the bound is twice the error of naive f32 and 1e-6 of the largest value', () => {
    const truth = attention(problem);
    const naive = attention(problem, Math.fround);
    const error = Math.max(...truth.o.map((x, i) => Math.abs(x - naive.o[i]!)));
    expect(expected.bound).toBeCloseTo(2 * error + 1e-6 * Math.max(...truth.o.map(Math.abs)), 12);
  });

  test.each([
    ['just over the bound', (o: Float32Array) => (o[5]! += 2 * expected.bound)],
    ['NaN', (o: Float32Array) => (o[5] = NaN)],
    ['infinite', (o: Float32Array) => (o[5] = -Infinity)],
    ['not 0 in an empty row', (o: Float32Array) => (o[128 + 5] = 1e-5)],
    ['off in its log-sum-exp', (_: Float32Array, lse: Float32Array) => (lse[1]! += 1e-4)],
    ['no floor in an empty row', (_: Float32Array, lse: Float32Array) => (lse[2] = -1e38)],
    ['a floor in a row that is not empty', (_: Float32Array, lse: Float32Array) => (lse[0] = LSE_EMPTY)],
  ])('fails: %s', (_, change) => expect(verdictOf(change).pass).toBe(false));

  test('minus infinity in place of the floor fails, though float64 has it', () => {
    const { pass, notFinite } = verdictOf((_, lse) => (lse[2] = -Infinity));
    expect(pass).toBe(false);
    expect(notFinite).toBe('1 of 4 of lse are not finite, the first is -Infinity at [b, h, i] = [1, 0, 0]');
  });

  test('says how much is not finite', () => {
    const change = (o: Float32Array, lse: Float32Array) => {
      o.fill(NaN, 70, 75);
      lse[3] = Infinity;
    };
    expect(verdictOf(change).notFinite).toBe(
      '5 of 256 values of o and 1 of 4 of lse are not finite, the first is NaN at [b, h, i, d] = [0, 1, 0, 6]',
    );
    expect(verdictOf()).not.toHaveProperty('notFinite');
  });

  test('an infinite output fails where infinity is right, and where the bound is', () => {
    const large = randomProblem({ numQHeads: 1, numKvHeads: 1, headDim: 64, kvLens: [3] });
    large.v.fill(Infinity, 0, 1);
    const { o, lse } = attention(large);
    expect(o[0]).toBe(Infinity);
    expect(verify(expect64(large), Float32Array.from(o), Float32Array.from(lse)).pass).toBe(false);
    const off = Float32Array.from(attention(problem).lse, (x) => (x === -Infinity ? LSE_EMPTY : x));
    const anything = { ...expected, bound: Infinity };
    expect(verify(anything, Float32Array.from(expected.truth.o), off).pass).toBe(false);
  });

  test('names the worst element', () => {
    expect(verdictOf((o) => (o[64 + 5] = 7)).worst).toMatch(
      /^\[b, h, i, d\] = \[0, 1, 0, 5\]: expected .*, got 7$/,
    );
  });

  test('nothing passes where the expected values are no numbers', () => {
    const broken = randomProblem({ numQHeads: 1, numKvHeads: 1, headDim: 64, kvLens: [3] });
    broken.k[7] = NaN;
    const o = new Float32Array(64);
    expect(verify(expect64(broken), o, Float32Array.of(0)).pass).toBe(false);
    expect(verify(expect64(broken), o.fill(NaN), Float32Array.of(NaN)).pass).toBe(false);
  });

  test('another number of values is a mistake, not a verdict', () => {
    expect(() => verify(expected, new Float32Array(3), new Float32Array(4))).toThrow(
      'verify: o: expected 256 numbers, got 3',
    );
  });
});
