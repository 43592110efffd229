// decodeExact.test.ts: attention whose result is known without arithmetic: split, merge and the unsplit kernel.
import { describe, expect, test } from 'vitest';
import { type StoredProblem, storeProblem } from '../../bench/problem.ts';
import { normals } from '../../bench/random.ts';
import { chooseSplitVariant } from '../../src/kernels/decodeSplit.ts';
import type { KvType } from '../../src/kernels/elements.ts';
import { checkShape } from '../../src/kernels/shape.ts';
import { testDevice } from '../support/device.ts';
import { GPU_FACTS, SOFTWARE_FACTS } from '../support/deviceFacts.ts';
import { type Output, runMerge, runSplit, runWhole } from '../support/runDecode.ts';

const device = await testDevice();

const GROUP_SIZE = 4;
const NUM_KV_HEADS = 3;
const NUM_Q_HEADS = GROUP_SIZE * NUM_KV_HEADS;

interface Flavour {
  readonly name: string;
  readonly headDim: number;
  readonly type: KvType;
  readonly facts: typeof GPU_FACTS;
  /** Splits of one tile each, or all keys in one dispatch. */
  readonly split: boolean;
}

const FLAVOURS: readonly Flavour[] = [
  { name: 'f32 split and merge', headDim: 64, type: 'f32', facts: SOFTWARE_FACTS, split: true },
  { name: 'f32 unsplit', headDim: 64, type: 'f32', facts: SOFTWARE_FACTS, split: false },
  { name: 'f16 split and merge, sizes for a GPU', headDim: 80, type: 'f16', facts: GPU_FACTS, split: true },
];

type Fill = (b: number, head: number, position: number, d: number) => number;

/** A problem from formulas for q (b, query head, 0, d), k and v (b, KV head, token, d); slots past a length are NaN. */
function problemOf(
  { headDim, type }: Flavour,
  kvLens: readonly number[],
  q: Fill,
  k: Fill,
  v: Fill,
): StoredProblem {
  const capacity = Math.max(...kvLens) + 1;
  const fill = (heads: number, positions: number, value: Fill) =>
    Float32Array.from({ length: kvLens.length * heads * positions * headDim }, (_, at) => {
      const head = Math.floor(at / (positions * headDim));
      const position = Math.floor(at / headDim) % positions;
      const b = Math.floor(head / heads);
      if (positions > 1 && position >= kvLens[b]!) return NaN;
      return value(b, head % heads, position, at % headDim);
    });
  return storeProblem({
    batch: kvLens.length,
    numQHeads: NUM_Q_HEADS,
    numKvHeads: NUM_KV_HEADS,
    headDim,
    kvLens,
    capacity,
    kType: type,
    smScale: 0.125,
    q: fill(NUM_Q_HEADS, 1, q),
    k: fill(NUM_KV_HEADS, capacity, k),
    v: fill(NUM_KV_HEADS, capacity, v),
  });
}

async function attend({ facts, split }: Flavour, problem: StoredProblem): Promise<Output> {
  const variant = chooseSplitVariant(checkShape(problem), facts, 'workgroup');
  if (!split) return runWhole(device, problem, variant);
  const splitLen = variant.tile;
  const numSplits = Math.ceil(Math.max(...problem.kvLens) / splitLen);
  return runMerge(device, await runSplit(device, problem, variant, { numSplits, splitLen }), problem);
}

// Software adapters compute exp(0) = 1 and divide exactly. WGSL allows both a few units in the last place.
const RELATIVE = device.facts.software ? 0 : 2 ** -21;

/** Every element of o is what `expected` says for (b, query head, d). */
function expectOutput(problem: StoredProblem, o: Float32Array, expected: Fill): void {
  const { headDim } = problem;
  const wrong = [...o.keys()].filter((at) => {
    const row = Math.floor(at / headDim);
    const want = expected(Math.floor(row / NUM_Q_HEADS), row % NUM_Q_HEADS, 0, at % headDim);
    return !(Math.abs(o[at]! - want) <= RELATIVE * Math.abs(want));
  });
  expect(wrong.map((at) => `o[${at}] = ${o[at]}`)).toEqual([]);
}

const kvHead = (h: number) => Math.floor(h / GROUP_SIZE);

/** Any numbers, the same for the same place, exact as halves. */
const anyHalf: Fill = (b, head, t, d) => ((b * 31 + head * 17 + t * 7 + d * 3) % 61) / 4 - 7;

describe.each(FLAVOURS.map((flavour) => [flavour.name, flavour] as const))('%s', (_, flavour) => {
  const { headDim } = flavour;
  const random = normals(1, 4096);
  const anything: Fill = (b, head, t, d) => random[(b * 1009 + head * 499 + t * 131 + d) % 4096]!;

  test('a query that meets one key alone gets its value: unit vectors', async () => {
    const kvLens = [2 * headDim, 1, headDim + 3, 33];
    // Key t is the unit vector t, past the head dim its opposite; the query is one key's, so large that no other counts.
    const sign = (t: number) => (t < headDim ? 1 : -1);
    const key = (t: number, d: number) => (t % headDim === d ? sign(t) : 0);
    const chosen = (b: number, h: number) => (h * 37 + b * 11 + kvLens[b]! - 1) % kvLens[b]!;
    const problem = problemOf(
      flavour,
      kvLens,
      (b, h, _i, d) => 2048 * key(chosen(b, h), d),
      (_b, _hk, t, d) => key(t, d),
      anyHalf,
    );
    const { o, lse } = await attend(flavour, problem);
    expectOutput(problem, o, (b, h, _i, d) => anyHalf(b, kvHead(h), chosen(b, h), d));
    for (const x of lse) expect(Math.abs(x - 256)).toBeLessThanOrEqual(RELATIVE * 256);
  });

  test('equal keys give the mean of the values', async () => {
    const kvLens = [128, 1, 2, 64];
    const problem = problemOf(flavour, kvLens, anything, (b, hk, _t, d) => anyHalf(b, hk, 0, d), anyHalf);
    const { o } = await attend(flavour, problem);
    expectOutput(problem, o, (b, h, _i, d) => {
      let sum = 0; // of quarters, and lengths are powers of two: exact
      for (let t = 0; t < kvLens[b]!; t++) sum += anyHalf(b, kvHead(h), t, d);
      return sum / kvLens[b]!;
    });
  });

  test('constant values come back, to each query head those of its own KV head', async () => {
    const kvLens = [100, 7, 65];
    const constant = (b: number, hk: number) => 2 ** (hk + 3 * b - 4) * (hk % 2 ? -1 : 1);
    const problem = problemOf(flavour, kvLens, anything, anything, (b, hk) => constant(b, hk));
    const { o } = await attend(flavour, problem);
    expectOutput(problem, o, (b, h) => constant(b, kvHead(h)));
  });

  test('one token gives its value, no token gives 0', async () => {
    const problem = problemOf(flavour, [1, 0, 1], anything, anything, anyHalf);
    const { o, lse } = await attend(flavour, problem);
    expectOutput(problem, o, (b, h, _i, d) => (b === 1 ? 0 : anyHalf(b, kvHead(h), 0, d)));
    expect([...lse].map((x) => x === Math.fround(-3.0e38))).toEqual(
      Array.from({ length: 3 * NUM_Q_HEADS }, (_x, row) => Math.floor(row / NUM_Q_HEADS) === 1),
    );
  });
});
