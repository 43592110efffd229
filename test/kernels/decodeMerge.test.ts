// decodeMerge.test.ts: decode_merge against its twin: partial states of splits, and finished results.
import { describe, expect, test } from 'vitest';
import { normals, shuffled, uniform } from '../../bench/random.ts';
import { decodeMerge as decodeMergeKernel, mergeFinished } from '../../src/kernels/decodeMerge.ts';
import { rowGrid } from '../../src/kernels/plain.ts';
import { checkShape, HEAD_DIMS } from '../../src/kernels/shape.ts';
import { decodeMerge } from '../reference/decodeMerge.ts';
import { NEG_MAX, type PartialStates } from '../reference/decodeSplit.ts';
import { testDevice } from '../support/device.ts';
import { expectWithinRule, withoutFloor } from '../support/errorRule.ts';
import { type Output, stepWords } from '../support/runDecode.ts';
import { runKernel, unwritten } from '../support/runKernel.ts';

const device = await testDevice();

const LSE_EMPTY = Math.fround(-3.0e38);

const BATCH = 3;
const NUM_Q_HEADS = 6;
const ROWS = BATCH * NUM_Q_HEADS;

/** Random states; maxima differ by `spread`. */
function randomStates(numSplits: number, headDim: number, seed: number, spread = 3): PartialStates {
  const count = ROWS * numSplits;
  const next = uniform(seed);
  return {
    rows: ROWS,
    numSplits,
    headDim,
    m: Float64Array.from(normals(seed + 1, count), (x) => Math.fround(x * spread)),
    l: Float64Array.from({ length: count }, () => Math.fround(1 + 99 * next())),
    o: Float64Array.from(normals(seed + 2, count * headDim)),
  };
}

/** Makes a state empty, with an o (and an m, which counts as little) that would show. */
function empty(states: PartialStates, row: number, s: number, m = NEG_MAX): void {
  const at = row * states.numSplits + s;
  states.m[at] = m;
  states.l[at] = 0;
  states.o.fill(NaN, at * states.headDim, (at + 1) * states.headDim);
}

/** The states of every row in another order. */
function reordered(states: PartialStates, order: readonly number[]): PartialStates {
  const { rows, headDim } = states;
  const numSplits = order.length;
  const from = Array.from({ length: rows * numSplits }, (_, at) => {
    return Math.floor(at / numSplits) * states.numSplits + order[at % numSplits]!;
  });
  return {
    rows,
    headDim,
    numSplits,
    m: Float64Array.from(from, (at) => states.m[at]!),
    l: Float64Array.from(from, (at) => states.l[at]!),
    o: Float64Array.from(
      from.flatMap((at) => Array.from(states.o.subarray(at * headDim, (at + 1) * headDim))),
    ),
  };
}

/** Runs the split flavour on a shape of 3 sequences with 6 query heads. */
async function mergeSplits(states: PartialStates): Promise<Output> {
  const { rows, numSplits, headDim } = states;
  const shape = checkShape({ batch: BATCH, numQHeads: NUM_Q_HEADS, numKvHeads: 2, headDim });
  const { o, lse } = await runKernel(device, {
    kernel: decodeMergeKernel(shape),
    grid: rowGrid(shape),
    inputs: {
      partial_o: Float32Array.from(states.o),
      partial_ml: Float32Array.from(
        { length: 2 * rows * numSplits },
        (_, i) => (i % 2 ? states.l : states.m)[i >> 1]!,
      ),
    },
    outputs: { o: unwritten(rows * headDim), lse: unwritten(rows) },
    step: stepWords({ numSplits, splitLen: 32 }, { capacity: 5000, smScale: 0.125, kvLens: [7, 4000, 0] }),
  });
  return { o: o as Float32Array, lse: lse as Float32Array };
}

/** Runs the finished flavour: states must have l = 1, or 0 where their log-sum-exp m is LSE_EMPTY or less. */
async function mergeResults({ rows, numSplits, headDim, m, o }: PartialStates): Promise<Output> {
  const statesO = new Float32Array(numSplits * rows * headDim);
  const statesLse = new Float32Array(numSplits * rows);
  for (let row = 0; row < rows; row++) {
    for (let s = 0; s < numSplits; s++) {
      const at = row * numSplits + s;
      statesLse[s * rows + row] = m[at]!;
      statesO.set(o.subarray(at * headDim, (at + 1) * headDim), (s * rows + row) * headDim);
    }
  }
  const out = await runKernel(device, {
    kernel: mergeFinished(headDim, rows, numSplits),
    grid: [rows, 1, 1],
    inputs: { states_o: statesO, states_lse: statesLse },
    outputs: { o: unwritten(rows * headDim), lse: unwritten(rows) },
  });
  return { o: out.o as Float32Array, lse: out.lse as Float32Array };
}

function expectMerged(states: PartialStates, { o, lse }: Output): void {
  const truth = decodeMerge(states);
  const naive = decodeMerge(states, Math.fround);
  expectWithinRule('o', o, truth.o, naive.o);
  expectWithinRule('lse', withoutFloor(lse), truth.lse, naive.lse);
}

describe('decode_merge of splits', () => {
  test.each(HEAD_DIMS)('head dim %i, 3 splits', async (headDim) => {
    const states = randomStates(3, headDim, headDim);
    expectMerged(states, await mergeSplits(states));
  });

  test.each([1, 2, 64])('%i splits', async (numSplits) => {
    const states = randomStates(numSplits, 64, numSplits);
    expectMerged(states, await mergeSplits(states));
  });

  test('maxima so far apart that all but one state vanish', async () => {
    const states = randomStates(5, 64, 21, 1e30);
    expectMerged(states, await mergeSplits(states));
  });

  test('one state of l = 1 comes back as it is', async () => {
    const states = randomStates(1, 64, 22);
    states.l.fill(1);
    const { o, lse } = await mergeSplits(states);
    expect(o).toEqual(Float32Array.from(states.o));
    expect(lse).toEqual(Float32Array.from(states.m));
  });

  test('empty states whose o is NaN and whose m is large change no bit', async () => {
    const states = randomStates(4, 64, 23);
    const alone = await mergeSplits(reordered(states, [0, 2]));
    for (let row = 0; row < ROWS; row++) {
      empty(states, row, 1);
      empty(states, row, 3, 1e30);
    }
    expect(await mergeSplits(states)).toEqual(alone);
    expect(await mergeSplits(reordered(states, [3, 1, 0, 1, 2]))).toEqual(alone);
  });

  test('a row of empty states is 0 with the log-sum-exp LSE_EMPTY, its neighbours as before', async () => {
    const states = randomStates(3, 80, 24);
    for (let s = 0; s < 3; s++) empty(states, 7, s);
    const { o, lse } = await mergeSplits(states);
    expect(o.slice(7 * 80, 8 * 80)).toEqual(new Float32Array(80));
    expect(lse[7]).toBe(LSE_EMPTY);
    expectMerged(states, { o, lse });
  });

  test('the order of the states does not matter beyond rounding', async () => {
    const states = randomStates(9, 64, 25);
    const order = shuffled([0, 1, 2, 3, 4, 5, 6, 7, 8], uniform(3));
    expect(order).not.toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expectMerged(states, await mergeSplits(reordered(states, order)));
  });
});

describe('decode_merge of finished results', () => {
  /** Results with log-sum-exps: states of l = 1. */
  function randomResults(numStates: number, headDim: number, seed: number): PartialStates {
    const states = randomStates(numStates, headDim, seed);
    states.l.fill(1);
    return states;
  }

  test('two states', async () => {
    const states = randomResults(2, 64, 31);
    expectMerged(states, await mergeResults(states));
  });

  test('by hand: weights 1/4 and 3/4', async () => {
    const states: PartialStates = {
      rows: 1,
      numSplits: 2,
      headDim: 64,
      m: Float64Array.of(0, Math.log(3)),
      l: Float64Array.of(1, 1),
      o: Float64Array.from({ length: 128 }, (_, i) => (i < 64 ? 8 : 4)),
    };
    const { o, lse } = await mergeResults(states);
    for (const x of o) expect(x).toBeCloseTo(5, 5); // 8 / 4 + 4 * 3 / 4
    expect(lse[0]).toBeCloseTo(Math.log(4), 6);
  });

  test('LSE_EMPTY and less have weight 0, whatever o holds; a row of such is empty', async () => {
    const states = randomResults(3, 64, 32);
    empty(states, 2, 0, LSE_EMPTY);
    empty(states, 3, 1, -3.1e38);
    empty(states, 4, 2, NEG_MAX);
    for (let s = 0; s < 3; s++) empty(states, 5, s, LSE_EMPTY);
    const { o, lse } = await mergeResults(states);
    expectMerged(states, { o, lse });
    expect(lse[5]).toBe(LSE_EMPTY);
    expect(o.slice(5 * 64, 6 * 64)).toEqual(new Float32Array(64));
  });

  test('what a merge wrote can be merged again: (a + b) + c is a + b + c', async () => {
    const states = randomResults(3, 64, 33);
    for (const s of [0, 1]) empty(states, 6, s, LSE_EMPTY);
    const first = await mergeResults({ ...reordered(states, [0, 1]) });
    const second = reordered(states, [0, 2]);
    for (let row = 0; row < ROWS; row++) {
      second.m[2 * row] = first.lse[row]!;
      second.o.set(first.o.subarray(row * 64, (row + 1) * 64), 2 * row * 64);
    }
    expectMerged(states, await mergeResults(second));
  });
});
