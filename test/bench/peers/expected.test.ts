// expected.test.ts: the bounds of peers let rounding pass and nothing else.
import { describe, expect, test } from 'vitest';
import { checkOutput, expectPeers, halfAttention } from '../../../bench/peers/expected.ts';
import { makeInputs, fromElements, toElements } from '../../../bench/peers/inputs.ts';
import { randomProblem } from '../../../src/reference/problem.ts';
import { worstError } from '../../../src/reference/verify.ts';
import { attention } from '../../../src/reference/attention.ts';

const SHAPE = { heads: 8, kvHeads: 2, headDim: 64, depth: 300 } as const;

const inF16 = (values: Float64Array) => fromElements(toElements('f16', Float32Array.from(values)));

describe('attention in f16', () => {
  const problem = randomProblem({ numQHeads: 8, numKvHeads: 2, headDim: 64, kvLens: [300], kType: 'f16' });

  test('is within a few roundings of the truth, and no closer than its output type allows', () => {
    const truth = attention(problem).o;
    const { error } = worstError(halfAttention(problem), truth);
    expect(error).toBeLessThan(2 ** -9);
    expect(error).toBeGreaterThanOrEqual(worstError(inF16(truth), truth).error);
  });

  test('has f16 values', () => {
    const o = halfAttention(problem);
    expect([...inF16(o)]).toEqual([...o]);
  });
});

describe.each(['f32', 'f16'] as const)('a cache of %s', (type) => {
  const expected = expectPeers(makeInputs({ ...SHAPE, type }, 3));
  const { truth } = expected;

  test('the truth passes in f32, and rounded to f16 where the engine computes in f16', () => {
    expect(checkOutput(expected, 'f32', Float32Array.from(truth)).pass).toBe(true);
    expect(checkOutput(expected, type, type === 'f16' ? inF16(truth) : Float32Array.from(truth)).pass).toBe(
      true,
    );
  });

  test('f16 values fail in f32', () => {
    expect(checkOutput(expected, 'f32', inF16(truth)).pass).toBe(false);
  });

  test.each([
    ['zeros', () => new Float32Array(truth.length)],
    ['NaN in one element', () => Float32Array.from(truth).fill(NaN, 5, 6)],
    [
      'the heads of another group',
      () => Float32Array.of(...truth.subarray(truth.length / 2), ...truth.subarray(0, truth.length / 2)),
    ],
    ['a missing last key', () => Float32Array.from(withoutLastKey(type))],
  ])('%s fail', (_, output) => {
    const check = checkOutput(expected, type, output());
    expect(check.pass).toBe(false);
    expect(check.maxAbsErr).toBeGreaterThan(check.bound);
  });

  test('a wrong length is no output', () => {
    expect(() => checkOutput(expected, type, new Float32Array(3))).toThrow('expected 512 values, got 3');
  });
});

function withoutLastKey(type: 'f32' | 'f16'): Float64Array {
  const { q, k, v } = makeInputs({ ...SHAPE, type }, 3);
  return attention({
    batch: 1,
    numQHeads: 8,
    numKvHeads: 2,
    headDim: 64,
    qLen: 1,
    causal: true,
    capacity: 300,
    kvLens: [299],
    smScale: 1 / 8,
    q,
    k: fromElements(k),
    v: fromElements(v),
  }).o;
}

test('rows of a prompt are those of causal attention over all of it, and others are not looked at', () => {
  const shape = { heads: 4, kvHeads: 2, headDim: 16, depth: 40, prompt: true, type: 'f32' } as const;
  const inputs = makeInputs(shape, 5);
  const { heads, headDim, depth } = shape;
  // Queries are [N, Hq, D] to engines.
  const byHeads = (rows: Float32Array) => {
    const all = new Float32Array(rows.length);
    for (let row = 0; row < depth * heads; row++) {
      const to = (row % heads) * depth + Math.floor(row / heads);
      all.set(rows.subarray(row * headDim, (row + 1) * headDim), to * headDim);
    }
    return all;
  };
  const problem = randomProblem({ numQHeads: heads, numKvHeads: 2, headDim, qLen: depth, kvLens: [depth] });
  const whole = attention({
    ...problem,
    q: byHeads(inputs.q),
    k: fromElements(inputs.k),
    v: fromElements(inputs.v),
  }).o;
  const o = new Float32Array(whole.length);
  for (let row = 0; row < depth * heads; row++) {
    const from = (row % heads) * depth + Math.floor(row / heads);
    o.set(whole.subarray(from * headDim, (from + 1) * headDim), row * headDim);
  }
  const expected = expectPeers(inputs);
  expect(expected.rows).toHaveLength(6);
  expect(checkOutput(expected, 'f32', o).pass).toBe(true);
  for (const row of expected.rows) {
    const wrong = o.slice();
    wrong[row * headDim + 1]! += 0.01;
    expect(checkOutput(expected, 'f32', wrong).pass).toBe(false);
  }
});
