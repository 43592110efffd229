// sample.test.ts: sample against its twin: the likeliest token, which tokens may be drawn, and how often they are.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { modelStepWords, setModelStep } from '../../src/kernels/model/modelStep.ts';
import { sample as sampleKernel } from '../../src/kernels/model/tokens.ts';
import { normals } from '../../src/numbers/random.ts';
import { drawn, likeliest, randomShare, tokensAt, type Draw } from '../reference/sample.ts';
import { criticalValue, expectFrequencies } from '../support/chiSquare.ts';
import { testDevice } from '../support/device.ts';
import { runsOf } from '../support/randomRuns.ts';
import { runKernel } from '../support/runKernel.ts';

const device = await testDevice();

/** What integers that nobody writes start from. */
const UNTOUCHED = 0xabcdef01;

/** Rows that results have room for: more than any run has, and a number that shaders are linked with. */
const RESULT_ROWS = 4099;

interface Run {
  /** The logits of each row, or of all rows. */
  readonly rows: readonly (readonly number[])[];
  /** Default: none, the likeliest is taken. */
  readonly draw?: Draw;
  readonly seed?: number;
  /** Default: 0, 1, 2 and so on. */
  readonly positions?: readonly number[];
  readonly slot?: number;
  /** Of a row; default 256, as on GPUs. */
  readonly invocations?: number;
}

const ALL: Draw = { temperature: 1, topK: 0, topP: 1 };

/** Runs it over rows with poisoned elements behind each; gives the results, and holds ids and what must stay against them. */
async function tokensOf({
  rows,
  draw,
  seed = 1,
  positions = [...rows.keys()],
  slot = 1,
  invocations = 256,
}: Run): Promise<number[]> {
  const vocab = rows[0]!.length;
  const stride = vocab + 3;
  const logits = new Float32Array(rows.length * stride).fill(NaN);
  for (const [row, list] of rows.entries()) logits.set(list, row * stride);
  const step = new Uint32Array(modelStepWords(rows.length));
  setModelStep(step, positions, rows.length, {
    slot,
    sampling: { ...(draw ?? { ...ALL, temperature: 0 }), seed },
  });
  const { ids, results } = await runKernel(device, {
    kernel: sampleKernel({ vocab, stride }, RESULT_ROWS, draw === undefined, invocations),
    grid: [rows.length, 1, 1],
    inputs: { logits },
    outputs: {
      ids: new Uint32Array(rows.length + 1).fill(UNTOUCHED),
      results: new Uint32Array(3 * RESULT_ROWS).fill(UNTOUCHED),
    },
    step,
  });
  const first = slot * RESULT_ROWS;
  const tokens = [...results!.subarray(first, first + rows.length)];
  expect([...results!].filter((token) => token !== UNTOUCHED)).toEqual(tokens);
  expect([...ids!].pop()).toBe(UNTOUCHED);
  // Where a logit is no number there is still an id that the next step can read.
  for (const [row, token] of tokens.entries()) {
    if (token < vocab) expect(ids![row]).toBe(token);
    else expect(ids![row]).toBeLessThan(vocab);
  }
  return tokens;
}

const rowOf = (seed: number, vocab: number, spread = 2) =>
  Array.from(normals(seed, vocab), (x) => Math.fround(x * spread));
const repeated = (row: readonly number[], count: number) => Array.from({ length: count }, () => row);
const countsOf = (tokens: readonly number[], vocab: number) => {
  const counts = Array.from({ length: vocab }, () => 0);
  for (const token of tokens) counts[token]!++;
  return counts;
};

/** One token, as many as a row has invocations, one more, and several to each; fewer: 17 below. */
const VOCABS = [1, 256, 257, 1000];

describe.each(VOCABS)('sample of %i tokens', (vocab) => {
  const rows = Array.from({ length: 6 }, (_, row) => rowOf(row, vocab));

  test('the likeliest, and the same one of the one likeliest', async () => {
    const expected = rows.map(likeliest);
    expect(await tokensOf({ rows })).toEqual(expected);
    for (const only of [
      { topK: 1 },
      { topP: 0 },
      { topP: 1e-6 },
      ...[1e-4, 1e-38, 1e-40, 0].map((temperature) => ({ temperature })),
    ])
      expect(await tokensOf({ rows, draw: { ...ALL, ...only } })).toEqual(expected);
  });

  test('the likeliest at the ends and of equal ones the first', async () => {
    const ends = [...new Set([0, vocab >> 1, vocab - 1])];
    const peaks = ends.map((at) => Array.from({ length: vocab }, (_, id) => (id === at ? 3 : -3)));
    expect(await tokensOf({ rows: peaks })).toEqual(ends);
    const equal = ends.map((at) => Array.from({ length: vocab }, (_, id) => (id >= at ? -5 : -6)));
    expect(await tokensOf({ rows: equal })).toEqual(ends);
  });

  test('no token where a logit is no number, greedy or drawn', async () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      for (const at of new Set([0, vocab >> 1, vocab - 1])) {
        const spoilt = rows.map((row, r) => row.map((logit, id) => (r === 2 && id === at ? bad : logit)));
        const expected = rows.map((row, r) => (r === 2 ? vocab : likeliest(row)));
        expect(spoilt.map(likeliest)).toEqual(expected);
        expect(await tokensOf({ rows: spoilt })).toEqual(expected);
        expect(await tokensOf({ rows: spoilt, draw: { ...ALL, topK: 1 } })).toEqual(expected);
        const free = await tokensOf({ rows: spoilt, draw: { temperature: 0.7, topK: 0, topP: 0.9 } });
        expect(free.map((token) => token === vocab)).toEqual(rows.map((_, r) => r === 2));
      }
    }
  });

  test('draws are of the tokens that are left', async () => {
    const draws = [
      { ...ALL, topK: 2 },
      { ...ALL, topK: 40, temperature: 3 },
      { ...ALL, topK: vocab },
      { ...ALL, topP: 0.5 },
      { temperature: 2, topK: 30, topP: 0.83 },
    ];
    for (const draw of draws) {
      for (const row of rows.slice(0, 2)) await expectAllowed(row, draw, 64);
    }
  });
});

/** SwiftShader takes a row's 256 invocations in turn between barriers: an eighth of the draws are made there. */
const SHARE = /google/i.test(device.facts.vendor) ? 8 : 1;

/** Draws so many times, or a share of them; whether it could be decided which tokens are left. */
async function expectAllowed(row: readonly number[], draw: Draw, count: number, seed = 1): Promise<boolean> {
  const rounded = { ...draw, temperature: Math.fround(draw.temperature), topP: Math.fround(draw.topP) };
  const { probabilities, margin } = drawn(row, rounded);
  // Sums of f32 are within 1000 * 2^-24 of themselves, exp within less than that.
  if (margin < 1e-4) return false;
  const tokens = await tokensOf({ rows: repeated(row, count / SHARE), draw, seed });
  const wrong = tokens.filter((token) => !(probabilities[token]! > 0));
  expect(wrong, JSON.stringify(draw)).toEqual([]);
  return true;
}

test('draws of any logits are of the tokens that are left', async () => {
  const shape = fc.record({
    vocab: fc.constantFrom(2, 17, 256, 257),
    logits: fc.nat(),
    // Few different logits tie.
    levels: fc.constantFrom(1, 4, 1e6),
    draw: fc.record({
      temperature: fc.constantFrom(0.1, 0.7, 1, 5),
      topK: fc.constantFrom(0, 1, 2, 5, 40),
      topP: fc.constantFrom(0.1, 0.5, 0.9, 0.99, 1),
    }),
    seed: fc.nat(),
  });
  let decided = 0;
  const property = fc.asyncProperty(shape, async ({ vocab, logits, levels, draw, seed }) => {
    const row = rowOf(logits, vocab).map((x) => Math.fround(Math.round(x * levels) / levels));
    if (await expectAllowed(row, draw, 32, seed)) decided++;
  });
  const numRuns = runsOf(30);
  await fc.assert(property, { numRuns, seed: 9, endOnFailure: true });
  expect(decided).toBeGreaterThan((numRuns * 2) / 3);
});

const MANY = 4096;

/** Invocations of a row in so many draws: software adapters run each in turn between barriers. */
const FEW = 16;

describe('draws are as frequent as they are probable', () => {
  const check = async (what: string, row: readonly number[], draw: Draw, run: Partial<Run> = {}) => {
    const tokens = await tokensOf({ invocations: FEW, rows: repeated(row, MANY), draw, seed: 42, ...run });
    const { probabilities, margin } = drawn(row, draw);
    expect(margin).toBeGreaterThan(1e-4);
    expectFrequencies(what, countsOf(tokens, row.length), probabilities);
  };

  test.each([
    ['of all', ALL],
    ['cold', { ...ALL, temperature: 0.5 }],
    ['hot', { ...ALL, temperature: 4 }],
    ['of the first five', { ...ALL, topK: 5 }],
    ['of the first seven tenths', { ...ALL, topP: 0.7 }],
    ['of both, at another temperature', { temperature: 1.5, topK: 12, topP: 0.8 }],
  ] as const)('%s', (what, draw) => check(what, rowOf(3, 37, 1.5), draw));

  test.each([2, 17, 1000])('of %i tokens', (vocab) => check('all', rowOf(vocab, vocab, 0.7), ALL));

  test('of rows at one position, and of one seed to the next', async () => {
    const row = rowOf(8, 37, 1);
    await check('rows', row, ALL, { positions: repeated([5], MANY).flat() });
    const counts = row.map(() => 0);
    for (let seed = 0; seed < 24; seed++) {
      const tokens = await tokensOf({ rows: repeated(row, 128), draw: ALL, seed, invocations: FEW });
      for (const token of tokens) counts[token]!++;
    }
    expectFrequencies('seeds', counts, drawn(row, ALL).probabilities);
  });

  test('ties are kept, however many were wanted', async () => {
    const row = [1, 3, 2, 2, -4, 2, 3, 1];
    await check('of three, and two that tie with the third', row, { ...ALL, topK: 3 });
    await check('of two that tie', row, { ...ALL, topK: 1 });
    await check('of two that tie, by their share', row, { ...ALL, topP: 0.2 });
    await check('of the first six tenths, and all that tie', row, { ...ALL, topP: 0.6 });
  });

  test('zeros of either sign tie', async () => {
    for (const row of [
      [0, -0, -1, -2],
      [-0, 0, -1, -2],
      [2, 0, -0, -1],
    ]) {
      const k = row[0] === 2 ? 2 : 1;
      await check(`top ${k} of ${row.map((x) => (Object.is(x, -0) ? '-0' : x)).join()}`, row, {
        ...ALL,
        topK: k,
      });
    }
  });

  test('the test itself finds what is not', () => {
    // Of ten degrees of freedom: 35.56 by a table.
    expect(criticalValue(10)).toBeCloseTo(35.56, 0);
    expect(() => expectFrequencies('x', [560, 440], [0.5, 0.5])).not.toThrow();
    expect(() => expectFrequencies('x', [570, 430], [0.5, 0.5])).toThrow('chi-square');
    expect(() => expectFrequencies('x', [500, 500, 1], [0.5, 0.5, 0])).toThrow('not possible');
  });
});

describe('a share of the probability decides', () => {
  test.each([17, 257, 1000])('the very token, of %i', async (vocab) => {
    const row = rowOf(vocab, vocab, 1);
    const draw = { temperature: 0.75, topK: 0, topP: 0.9 };
    const seed = 0xfedcba98;
    const tokens = await tokensOf({ rows: repeated(row, 300), draw, seed });
    const { probabilities } = drawn(row, draw);
    let sure = 0;
    for (const [i, token] of tokens.entries()) {
      // Sums of f32 over tokens: no more than 1000 * 2^-24 of what all weigh.
      const allowed = tokensAt(probabilities, randomShare(seed, i, i), 1e-4);
      expect(allowed).toContain(token);
      if (allowed.length === 1) sure++;
    }
    expect(sure).toBeGreaterThan(200);
  });

  // Positions at which a seed's shares are the least and the greatest there are.
  const ENDS = { seed: 1, least: [3061682, 3279523], greatest: [21474454, 21834642] };

  test.each(VOCABS)('the least and the greatest share, of %i tokens', async (vocab) => {
    expect(ENDS.least.map((position) => randomShare(1, 0, position))).toEqual([0, 0]);
    expect(ENDS.greatest.map((position) => randomShare(1, 0, position))).toEqual([
      1 - 2 ** -24,
      1 - 2 ** -24,
    ]);
    // The first and the last token with any weight, whichever weigh nothing before and behind them.
    for (const [first, last] of [
      [0, vocab - 1],
      [vocab >> 2, vocab >> 1],
    ] as const) {
      const row = Array.from({ length: vocab }, (_, id) => (id >= first && id <= last ? 0 : -1e4));
      for (const position of ENDS.least)
        expect(await tokensOf({ rows: [row], draw: ALL, seed: 1, positions: [position] })).toEqual([first]);
      for (const position of ENDS.greatest)
        expect(await tokensOf({ rows: [row], draw: ALL, seed: 1, positions: [position] })).toEqual([last]);
    }
  });
});

describe('seeds', () => {
  const even = repeated(
    Array.from({ length: 1000 }, () => 0),
    256,
  );
  const at = (position: number, seed = 1) =>
    tokensOf({ rows: even, draw: ALL, seed, positions: even.map(() => position) });
  /** Of 256 pairs of draws of 1000 tokens a quarter of one agrees; six or more once in four million times. */
  const apart = (a: readonly number[], b: readonly number[]) => {
    const same = a.filter((token, i) => token === b[i]).length;
    expect(same).toBeLessThan(6);
  };

  test('the same seed, row and position draw the same token, whatever other rows are', async () => {
    const first = await at(7);
    expect(await at(7)).toEqual(first);
    const fewer = await tokensOf({
      rows: even.slice(0, 9),
      draw: ALL,
      positions: even.slice(0, 9).map(() => 7),
      slot: 2,
    });
    expect(fewer).toEqual(first.slice(0, 9));
  });

  test('another seed, row or position draws another one', async () => {
    const first = await at(7);
    apart(first, await at(7, 2));
    apart(first, await at(7, 0xffffffff));
    const next = await at(8);
    apart(first, next);
    apart(first.slice(1), first);
    // Neither a sum of row and position decides, nor one of seed and row or of seed and position.
    apart(first.slice(1), next);
    apart(first.slice(1), await at(7, 2));
    apart(next, await at(7, 2));
    const crossed = await tokensOf({ rows: even, draw: ALL, positions: even.map((_, row) => 255 - row) });
    apart(crossed.slice(0, 128), crossed.toReversed().slice(0, 128));
  });
});
