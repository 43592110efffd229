// exact.test.ts: problems whose answer is written down by hand, for all kernels; no reference is involved.
import { describe, expect, test } from 'vitest';
import { storeProblem, type ProblemOptions } from '../../src/reference/problem.ts';
import { runProblem } from '../../bench/check/runProblem.ts';
import { LSE_EMPTY } from '../../src/index.ts';
import { bits } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';
import { KERNELS } from '../support/kernels.ts';

const D = 64;
const control = { numQHeads: 8, numKvHeads: 2, headDim: D };

type Fill = (place: { b: number; h: number; t: number; d: number }) => number;

/** A tensor [B, heads, T, D] of `fill`. */
function tensor(batch: number, heads: number, tokens: number, fill: Fill): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: batch * heads * tokens * D }, (_, at) => {
    const row = Math.floor(at / D);
    const head = Math.floor(row / tokens);
    return fill({ b: Math.floor(head / heads), h: head % heads, t: row % tokens, d: at % D });
  });
}

interface Given extends Partial<ProblemOptions> {
  readonly kvLens: readonly number[];
  readonly q: Fill;
  readonly k: Fill;
  readonly v: Fill;
}

describe.each(KERNELS)('%s', (kernel) => {
  async function attend({ q, k, v, ...given }: Given) {
    const options = { ...control, ...given };
    const { batch = 1, numQHeads, numKvHeads, kvLens, qLen = 1, capacity = Math.max(...kvLens) } = options;
    const problem = storeProblem({
      ...options,
      capacity,
      q: tensor(batch, numQHeads, qLen, q),
      k: tensor(batch, numKvHeads, capacity, k),
      v: tensor(batch, numKvHeads, capacity, v),
    });
    return runProblem(await testDevice(), problem, { kernel });
  }

  test('one key: its value comes back to the bit, and the score is the log-sum-exp', async () => {
    const value: Fill = ({ h, d }) => Math.fround((h + 1) / (d + 3));
    const { o, lse } = await attend({ kvLens: [1], q: () => 0.5, k: ({ d }) => d % 2, v: value });
    expect(bits(o)).toEqual(
      bits(tensor(1, 8, 1, ({ h, d }) => value({ b: 0, h: Math.floor(h / 4), t: 0, d }))),
    );
    // 32 of 64 products are 0.5; the scale is 1/8.
    expect(Array.from(lse)).toEqual(Array.from({ length: 8 }, () => 2));
  });

  test('every query head reads the KV head of its group, every sequence its own cache', async () => {
    const { o } = await attend({
      batch: 3,
      kvLens: [1, 200, 40],
      q: ({ h, d }) => h - d,
      k: ({ t, d }) => Math.sin(t + d),
      v: ({ b, h }) => 10 * b + h + 1,
    });
    const want = tensor(3, 8, 1, ({ b, h }) => 10 * b + Math.floor(h / 4) + 1);
    o.forEach((x, i) => expect(x).toBeCloseTo(want[i]!, 4));
  });

  test('equal keys: the mean of the values', async () => {
    // 0 + 1 + ... + 255 over 256 is 127.5; log 256 is added to the common score of 64 * 1 * 2 / 8 = 16.
    const { o, lse } = await attend({ kvLens: [256], q: () => 1, k: () => 2, v: ({ t }) => t });
    o.forEach((x) => expect(x).toBeCloseTo(127.5, 3));
    lse.forEach((x) => expect(x).toBeCloseTo(16 + Math.log(256), 4));
  });

  test('a query like one key, far larger than all others: that value', async () => {
    // Query head h looks along axis h + 3; key t is axis t. The score is 100 against 0.
    const { o, lse } = await attend({
      kvLens: [64],
      q: ({ h, d }) => (d === h + 3 ? 800 : 0),
      k: ({ t, d }) => (d === t ? 1 : 0),
      v: ({ t, d }) => 100 * t + d,
    });
    expect(o).toEqual(tensor(1, 8, 1, ({ h, d }) => 100 * (h + 3) + d));
    lse.forEach((x) => expect(x).toBeCloseTo(100, 4));
  });

  test('causal positions see one key more each; the last sees all', async () => {
    // Equal weights over values 0, 1, 2, 3: the first two, three, four of them have means 0.5, 1, 1.5.
    const causal = {
      numQHeads: 6,
      qLen: 3,
      kvLens: [4],
      q: () => 0,
      k: () => 1,
      v: ({ t }: { t: number }) => t,
    };
    const { o, lse } = await attend(causal);
    const means = [0.5, 1, 1.5];
    o.forEach((x, at) => expect(x).toBeCloseTo(means[Math.floor(at / D) % 3]!, 5));
    lse.forEach((x, row) => expect(x).toBeCloseTo(Math.log(2 + (row % 3)), 5));
  });

  test('more positions than keys: the first see nothing', async () => {
    const { o, lse } = await attend({
      numQHeads: 6,
      qLen: 3,
      kvLens: [1],
      q: () => 0,
      k: () => 1,
      v: () => 7,
    });
    o.forEach((x, at) => expect(x).toBe(Math.floor(at / D) % 3 === 2 ? 7 : 0));
    lse.forEach((x, row) => expect(x).toBe(row % 3 === 2 ? 0 : Math.fround(LSE_EMPTY)));
  });

  test('an empty sequence: zeros and the floor, beside one that is not', async () => {
    const { o, lse } = await attend({ batch: 2, kvLens: [0, 1], q: () => 0, k: () => 1, v: () => 7 });
    expect(o).toEqual(tensor(2, 8, 1, ({ b }) => 7 * b));
    expect(Array.from(lse)).toEqual([...Array(8).fill(Math.fround(LSE_EMPTY)), ...Array(8).fill(0)]);
  });

  test('scores far below zero lose nothing', async () => {
    // All scores are -64 * 1000 / 8 = -8,000: without subtracting the maximum every weight would be 0.
    const { o, lse } = await attend({ kvLens: [130], q: () => 1, k: () => -1000, v: () => 3 });
    o.forEach((x) => expect(x).toBeCloseTo(3, 5));
    lse.forEach((x) => expect(x).toBeCloseTo(-8000 + Math.log(130), 2));
  });
});

test('LSE_EMPTY is a number that f32 holds, so that a read-back value equals it', () => {
  expect(Math.fround(LSE_EMPTY)).toBe(LSE_EMPTY);
});
