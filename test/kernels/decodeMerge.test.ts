// decodeMerge.test.ts: decode_merge against its twin: partial states of a plan's items, and finished results.
import { describe, expect, test } from 'vitest';
import { normals, shuffled, uniform } from '../../src/numbers/random.ts';
import { decodeMerge as decodeMergeKernel, mergeFinished, mergeSets } from '../../src/kernels/decodeMerge.ts';
import { rowGrid } from '../../src/kernels/plain.ts';
import { checkShape } from '../../src/kernels/shape.ts';
import { decodeMerge, type States } from '../reference/decodeMerge.ts';
import { BAD_SCORE, NEG_MAX } from '../reference/decodeTiles.ts';
import { testDevice } from '../support/device.ts';
import { GPU_FACTS, SOFTWARE_FACTS } from '../support/deviceFacts.ts';
import { expectWritten, withoutFloor } from '../support/errorRule.ts';
import { F32_ROWS } from '../support/rowFormats.ts';
import { packStates, rowsOf, type Sequence, stepWords } from '../support/runDecode.ts';
import { runKernel, unwritten } from '../support/runKernel.ts';
import { HEAD_DIMS } from '../support/shapes.ts';

const device = await testDevice();

const LSE_EMPTY = Math.fround(-3.0e38);

interface Output {
  readonly o: Float32Array;
  readonly lse: Float32Array;
}

/** States that a test may change. */
interface Mutable extends States {
  readonly m: Float32Array<ArrayBuffer>;
  readonly l: Float32Array<ArrayBuffer>;
  readonly o: Float32Array<ArrayBuffer>;
}

/** Random states; maxima differ by `spread`. */
function randomStates(count: number, headDim: number, seed: number, spread = 3): Mutable {
  const next = uniform(seed);
  return {
    headDim,
    m: normals(seed + 1, count).map((x) => x * spread),
    l: Float32Array.from({ length: count }, () => 1 + 99 * next()),
    o: normals(seed + 2, count * headDim),
  };
}

/** Makes a state empty, with an o (and an m, which counts as little) that would show. */
function empty({ m, l, o, headDim }: Mutable, at: number, max = NEG_MAX): void {
  m[at] = max;
  l[at] = 0;
  o.fill(NaN, at * headDim, (at + 1) * headDim);
}

// Three sequences of six query heads.
const ROWS = 6;

/** The states of every row of three sequences: item by item, and within each row by row. */
function listsOf(sequences: readonly Sequence[]): (number[] | undefined)[] {
  return sequences.flatMap(({ first, count }) =>
    Array.from({ length: ROWS }, (_, row) =>
      count > 1 ? Array.from({ length: count }, (_item, s) => (first + s) * ROWS + row) : undefined,
    ),
  );
}

const inARow = (...counts: number[]): Sequence[] =>
  counts.map((count, b) => ({ first: counts.slice(0, b).reduce((sum, n) => sum + n, 0), count }));

async function mergeSplits(
  states: States,
  sequences: readonly Sequence[],
  sets: number,
  wantsLse = true,
): Promise<Output> {
  const { headDim } = states;
  const shape = checkShape({ batch: sequences.length, numQHeads: ROWS, numKvHeads: 2, headDim });
  const { o, lse = new Float32Array() } = await runKernel(device, {
    kernel: decodeMergeKernel(shape, Math.min(sets, mergeSets(headDim, GPU_FACTS)), {
      ...F32_ROWS,
      lse: wantsLse,
    }),
    grid: rowGrid(shape, shape.qLen),
    inputs: {
      partial: packStates(states),
    },
    outputs: { o: unwritten(shape.rows * headDim), ...(wantsLse && { lse: unwritten(shape.rows) }) },
    step: stepWords({
      capacity: 5000,
      smScale: 0.125,
      kvLens: [7, 4000, 0].slice(0, sequences.length),
      sequences,
      rows: rowsOf(shape),
    }),
  });
  return { o: o as Float32Array, lse: lse as Float32Array };
}

function expectMerged(states: States, lists: readonly (number[] | undefined)[], { o, lse }: Output): void {
  const truth = decodeMerge(lists, states);
  const naive = decodeMerge(lists, states, Math.fround);
  expectWritten('o', o, truth.o, naive.o);
  expectWritten('lse', withoutFloor(lse), truth.lse, naive.lse);
}

async function checkSplits(states: States, sequences: readonly Sequence[], sets: number): Promise<Output> {
  const output = await mergeSplits(states, sequences, sets);
  expectMerged(states, listsOf(sequences), output);
  return output;
}

const countOf = (sequences: readonly Sequence[]) =>
  sequences.reduce((most, { first, count }) => Math.max(most, first + count), 0) * ROWS;

describe('sets', () => {
  test.each(HEAD_DIMS)('as many as 256 invocations are, D %i', (headDim) => {
    const sets = mergeSets(headDim, GPU_FACTS);
    expect((sets * headDim) / 4).toBeLessThanOrEqual(256);
    expect(((sets + 1) * headDim) / 4).toBeGreaterThan(256);
  });

  test.each([8, 24, 40, 56])('no more than 16, D %i', (headDim) => {
    expect(mergeSets(headDim, GPU_FACTS)).toBe(16);
  });

  test('one on a CPU, and where a workgroup holds no more', () => {
    expect(mergeSets(128, SOFTWARE_FACTS)).toBe(1);
    expect(mergeSets(128, { ...GPU_FACTS, maxInvocations: 63 })).toBe(1);
    expect(mergeSets(128, { ...GPU_FACTS, maxInvocations: 64 })).toBe(2);
  });
});

/** Head dims by the number of sets: each once, and twice those of which two elements are taken at a time, 8, 24 and 40. */
const DIMS_OF: Readonly<Record<number, readonly number[]>> = {
  1: [8, 40, 80, 112, 320],
  3: [24, 40, 64, 192, 512],
  16: [8, 24, 96, 128, 256],
};

// Of 16 elements four at a time, D 64, 16 sets are a GPU's 256 invocations.
describe.each([1, 3, 16])('decode_merge of splits, %i sets', (sets) => {
  test.each(DIMS_OF[sets]!)('head dim %i, 3 splits', async (headDim) => {
    const sequences = inARow(3, 3, 3);
    await checkSplits(randomStates(countOf(sequences), headDim, headDim), sequences, sets);
  });

  // A workgroup has 16, 48 or 256 invocations, a tile as many splits; a set takes four at once.
  test.each([
    [2, 3, 4],
    [5, 16, 17],
    [47, 48, 49],
    [63, 64, 65],
    [128, 2, 129],
    [255, 256, 257],
    [511, 512, 513],
  ])('%i, %i and %i splits', async (...counts) => {
    const sequences = inARow(...counts);
    await checkSplits(randomStates(countOf(sequences), 64, counts[0]), sequences, sets);
  });

  test('sequences that are one item, or none, keep the output they have', async () => {
    const [a, b] = [
      { first: 0, count: 1 },
      { first: 0, count: 3 },
    ];
    for (const sequences of [
      [a, b, { first: 3, count: 1 }],
      [b, { first: 7, count: 0 }, a],
    ]) {
      const states = randomStates(4 * ROWS, 64, 20);
      const { o } = await checkSplits(states, sequences, sets);
      expect(o.filter((x) => x === Math.fround(-123456.789))).toHaveLength(2 * ROWS * 64);
    }
  });

  test('each sequence finds its states wherever they lie', async () => {
    const sequences = [
      { first: 5, count: 4 },
      { first: 0, count: 2 },
      { first: 2, count: 3 },
    ];
    await checkSplits(randomStates(countOf(sequences), 64, 26), sequences, sets);
  });

  test('maxima so far apart that all but one state vanish', async () => {
    await checkSplits(randomStates(15 * ROWS, 64, 21, 1e30), inARow(5, 5, 5), sets);
  });

  test('one state of l = 1 beside an empty one comes back as it is', async () => {
    const states = randomStates(2 * ROWS, 64, 22);
    states.l.fill(1);
    for (let row = 0; row < ROWS; row++) empty(states, row);
    const { o, lse } = await mergeSplits(states, inARow(2), sets);
    expect(o).toEqual(states.o.slice(ROWS * 64));
    expect(lse).toEqual(states.m.slice(ROWS));
  });

  test('empty states whose o is NaN and whose m is large count for nothing', async () => {
    const states = randomStates(6 * ROWS, 64, 23);
    for (let row = 0; row < ROWS; row++) {
      empty(states, ROWS + row);
      empty(states, 3 * ROWS + row, 1e30);
      empty(states, 5 * ROWS + row, 3e38);
    }
    await checkSplits(states, inARow(6), sets);
  });

  // In a tile of 48: the first, the last that is asked for, the first of the next tile, the last of all.
  test.each([
    [2, [0]],
    [3, [1]],
    [5, [4]],
    [65, [0, 47, 48, 64]],
    [512, [0, 1, 2, 3, 255, 256, 510, 511]],
  ])('of %i splits, %j empty with NaN in o', async (count, places) => {
    const states = randomStates(count * ROWS, 64, count);
    for (const s of places) empty(states, s * ROWS + (s % ROWS));
    const { o, lse } = await checkSplits(states, inARow(count), sets);
    expect([...o, ...lse].every(Number.isFinite)).toBe(true);
  });

  test.each([2, 5, 64, 65, 512])('of %i splits all are empty, or all but the last', async (count) => {
    const states = randomStates(count * ROWS, 64, count);
    for (let s = 0; s < count; s++) empty(states, s * ROWS + 1);
    for (let s = 0; s < count - 1; s++) empty(states, s * ROWS + 2, s % 2 ? NEG_MAX : 3e38);
    const { o, lse } = await checkSplits(states, inARow(count), sets);
    expect(o.slice(64, 128)).toEqual(new Float32Array(64));
    expect(lse[1]).toBe(LSE_EMPTY);
  });

  test('NaN and infinity in the o of a state with keys show, where its weight is 0 too', async () => {
    const states = randomStates(6 * ROWS, 64, 36);
    states.o[1 * ROWS * 64] = NaN;
    states.m[4 * ROWS + 1] = -1e30;
    states.o[(4 * ROWS + 1) * 64 + 5] = Infinity;
    const { o } = await mergeSplits(states, inARow(6), sets);
    expect([...o].flatMap((x, at) => (Number.isFinite(x) ? [] : [at]))).toEqual([0, 64 + 5]);
  });

  test('nothing is written where no log-sum-exps are asked for, and o is the same', async () => {
    const states = randomStates(5 * ROWS, 64, 37);
    const { o } = await mergeSplits(states, inARow(5), sets);
    expect(await mergeSplits(states, inARow(5), sets, false)).toEqual({ o, lse: new Float32Array() });
  });

  test('a state with a score past f32 makes its row NaN, beside whatever states, and no other row', async () => {
    const states = randomStates(6 * ROWS, 64, 30, 1e38);
    for (let s = 0; s < 6; s++) states.m[s * ROWS + 1] = BAD_SCORE;
    states.m[3 * ROWS + 2] = BAD_SCORE;
    empty(states, 2 * ROWS + 2);
    for (let s = 0; s < 5; s++) empty(states, s * ROWS + 4);
    states.m[5 * ROWS + 4] = BAD_SCORE;
    const { o, lse } = await checkSplits(states, inARow(6), sets);
    expect(Array.from(lse, Number.isNaN)).toEqual([false, true, true, false, true, false]);
    expect(Array.from({ length: ROWS }, (_, row) => Number.isNaN(o[row * 64]))).toEqual(
      Array.from(lse, Number.isNaN),
    );
  });

  test('a row of empty states is 0 with the log-sum-exp LSE_EMPTY, its neighbours as before', async () => {
    const states = randomStates(9 * ROWS, 80, 24);
    for (let s = 3; s < 6; s++) empty(states, s * ROWS + 1); // sequence 1, row 1
    const { o, lse } = await checkSplits(states, inARow(3, 3, 3), sets);
    expect(o.slice(7 * 80, 8 * 80)).toEqual(new Float32Array(80));
    expect(lse[7]).toBe(LSE_EMPTY);
  });

  test('running twice gives the same bits', async () => {
    const states = randomStates(30 * ROWS, 64, 27);
    const first = await mergeSplits(states, inARow(10, 15, 5), sets);
    expect(await mergeSplits(states, inARow(10, 15, 5), sets)).toEqual(first);
  });
});

test('empty states between others change no bit where one set sums them all', async () => {
  const states = randomStates(2 * ROWS, 64, 28);
  const alone = await mergeSplits(states, inARow(2), 1);
  const spread = randomStates(5 * ROWS, 64, 29);
  for (const [s, from] of [undefined, 0, undefined, 1, undefined].entries()) {
    for (let row = 0; row < ROWS; row++) {
      const at = s * ROWS + row;
      if (from === undefined) {
        empty(spread, at, s === 2 ? 1e30 : NEG_MAX);
        continue;
      }
      const source = from * ROWS + row;
      spread.m[at] = states.m[source]!;
      spread.l[at] = states.l[source]!;
      spread.o.set(states.o.subarray(source * 64, (source + 1) * 64), at * 64);
    }
  }
  expect(await mergeSplits(spread, inARow(5), 1)).toEqual(alone);
});

describe.each([1, 3, 16])('decode_merge of finished results, %i sets', (sets) => {
  const RESULT_ROWS = 18;

  /** Results [states, rows] with log-sum-exps: states of l = 1. */
  function randomResults(numStates: number, headDim: number, seed: number): Mutable {
    const states = randomStates(numStates * RESULT_ROWS, headDim, seed);
    states.l.fill(1);
    return states;
  }

  /** Merges results: states must have l = 1, or 0 where their log-sum-exp m is LSE_EMPTY or less. */
  async function mergeResults({ headDim, m, o }: Mutable): Promise<Output> {
    const rows = RESULT_ROWS;
    const numStates = m.length / rows;
    const out = await runKernel(device, {
      kernel: mergeFinished(headDim, rows, numStates, sets),
      grid: [rows, 1, 1],
      inputs: { states_o: o, states_lse: m },
      outputs: { o: unwritten(rows * headDim), lse: unwritten(rows) },
    });
    return { o: out.o as Float32Array, lse: out.lse as Float32Array };
  }

  const lists = (numStates: number) =>
    Array.from({ length: RESULT_ROWS }, (_, row) =>
      Array.from({ length: numStates }, (_state, s) => s * RESULT_ROWS + row),
    );

  test.each(sets === 1 ? [1, 2, 17, 300] : [2, 17, 300])('%i states', async (numStates) => {
    const states = randomResults(numStates, 64, 31);
    expectMerged(states, lists(numStates), await mergeResults(states));
  });

  test('by hand: weights 1/4 and 3/4', async () => {
    const states: Mutable = {
      headDim: 64,
      m: Float32Array.from({ length: 2 * RESULT_ROWS }, (_, i) => (i < RESULT_ROWS ? 0 : Math.log(3))),
      l: new Float32Array(2 * RESULT_ROWS).fill(1),
      o: Float32Array.from({ length: 128 * RESULT_ROWS }, (_, i) => (i < 64 * RESULT_ROWS ? 8 : 4)),
    };
    const { o, lse } = await mergeResults(states);
    for (const x of o) expect(x).toBeCloseTo(5, 5); // 8 / 4 + 4 * 3 / 4
    for (const x of lse) expect(x).toBeCloseTo(Math.log(4), 6);
  });

  test('LSE_EMPTY and less have weight 0, whatever o holds; a row of such is empty', async () => {
    const states = randomResults(3, 64, 32);
    const at = (row: number, s: number) => s * RESULT_ROWS + row;
    empty(states, at(2, 0), LSE_EMPTY);
    empty(states, at(3, 1), -3.1e38);
    empty(states, at(4, 2), NEG_MAX);
    for (let s = 0; s < 3; s++) empty(states, at(5, s), LSE_EMPTY);
    const { o, lse } = await mergeResults(states);
    expectMerged(states, lists(3), { o, lse });
    expect(lse[5]).toBe(LSE_EMPTY);
    expect(o.slice(5 * 64, 6 * 64)).toEqual(new Float32Array(64));
  });

  test('a log-sum-exp that is no number makes its row NaN; minus infinity is that of an empty state', async () => {
    const states = randomResults(3, 64, 34);
    const at = (row: number, s: number) => s * RESULT_ROWS + row;
    const given = [NaN, Infinity, NaN, Infinity];
    given.forEach((lse, row) => (states.m[at(row, row % 3)] = lse));
    states.m.set([LSE_EMPTY], at(0, 1));
    states.m.set([-Infinity], at(1, 0));
    empty(states, at(7, 1), -Infinity);
    for (let s = 0; s < 3; s++) empty(states, at(8, s), -Infinity);
    const { o, lse } = await mergeResults(states);
    for (let row = 0; row < RESULT_ROWS; row++) {
      const values = [lse[row]!, ...o.slice(row * 64, (row + 1) * 64)];
      expect(values.every((x) => Number.isNaN(x) === row < given.length)).toBe(true);
    }
    expect(lse[8]).toBe(LSE_EMPTY);
    expect(o.slice(8 * 64, 9 * 64)).toEqual(new Float32Array(64));
    const kept = lists(3).slice(given.length);
    expectMerged(states, kept, { o: o.slice(given.length * 64), lse: lse.slice(given.length) });
  });

  test('log-sum-exps to the ends of the range, and between the floor and what a row can have', async () => {
    const states = randomResults(2, 64, 35);
    [-2.9e38, -2.95e38, 2.9e38, -1e38].forEach((lse, row) => {
      states.m[row] = lse;
      empty(states, RESULT_ROWS + row, LSE_EMPTY);
    });
    states.m[4] = 2.9e38;
    states.m[RESULT_ROWS + 4] = -2.9e38;
    const { o, lse } = await mergeResults(states);
    expect(Array.from(lse.slice(0, 5))).toEqual(Array.from(states.m.slice(0, 5)));
    expect(o.slice(0, 5 * 64)).toEqual(states.o.slice(0, 5 * 64));
  });

  test('the order of the states does not matter beyond rounding', async () => {
    const states = randomResults(17, 64, 25);
    const inOrder = Array.from({ length: 17 }, (_, s) => s);
    const order = shuffled(inOrder, uniform(3));
    expect(order).not.toEqual(inOrder);
    const part = <T extends { subarray(from: number, to: number): T }>(x: T, s: number, size: number) =>
      x.subarray(s * size, (s + 1) * size);
    const reordered = {
      ...states,
      m: new Float32Array(states.m.length),
      o: new Float32Array(states.o.length),
    };
    order.forEach((from, s) => {
      reordered.m.set(part(states.m, from, RESULT_ROWS), s * RESULT_ROWS);
      reordered.o.set(part(states.o, from, RESULT_ROWS * 64), s * RESULT_ROWS * 64);
    });
    expectMerged(states, lists(17), await mergeResults(reordered));
  });

  test('what a merge wrote can be merged again: (a + b) + c is a + b + c', async () => {
    const states = randomResults(3, 64, 33);
    for (const s of [0, 1]) empty(states, s * RESULT_ROWS + 6, LSE_EMPTY);
    const split = 2 * RESULT_ROWS;
    const first = await mergeResults({
      ...states,
      m: states.m.slice(0, split),
      o: states.o.slice(0, split * 64),
    });
    const again = await mergeResults({
      ...states,
      m: Float32Array.from([...first.lse, ...states.m.slice(split)]),
      o: Float32Array.from([...first.o, ...states.o.slice(split * 64)]),
    });
    expectMerged(states, lists(3), again);
  });
});
