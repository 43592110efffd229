// decodeExact.test.ts: attention whose result is known without arithmetic: both templates and the merge, all element types.
import { describe, expect, test } from 'vitest';
import { storeProblem, type StoredProblem, shapeOf } from '../../src/reference/problem.ts';
import { normals } from '../../src/numbers/random.ts';
import type { RegistersVariant } from '../../src/kernels/decodeRegisters.ts';
import { chooseTiles, type TilesVariant } from '../../src/kernels/decodeTiles.ts';
import { decodeMerge as decodeMergeKernel } from '../../src/kernels/decodeMerge.ts';
import type { KvType } from '../../src/numbers/elements.ts';
import { fusedKernel, variantName, workgroupsPerItem } from '../../src/kernels/fused.ts';
import { rowGrid } from '../../src/kernels/plain.ts';
import { checkShape } from '../../src/kernels/shape.ts';
import { testDevice } from '../support/device.ts';
import { GPU_FACTS, SOFTWARE_FACTS } from '../support/deviceFacts.ts';
import { F32_ROWS } from '../support/rowFormats.ts';
import { itemsOf, numbersOf, runFused, packStates, stepWords } from '../support/runDecode.ts';
import { runKernel, SENTINEL, unwritten } from '../support/runKernel.ts';

const device = await testDevice();

const NUM_KV_HEADS = 3;

interface Flavour {
  readonly type: KvType;
  readonly headDim: number;
  readonly groupSize: number;
  readonly variant: RegistersVariant | TilesVariant;
}

type Sizes = readonly [wgSize: number, lanes: number, tokens: number, teamRows: number, blocks?: number];

function registers(type: KvType, groupSize: number, sizes: Sizes, headDim = 64): Flavour {
  const [wgSize, lanes, tokens, teamRows, blocks = 1] = sizes;
  const variant = {
    template: 'registers',
    wgSize,
    lanes,
    tokens,
    teamRows,
    blocks,
    q: 'registers',
    code: 'gpu',
  } as const;
  return { type, headDim, groupSize, variant };
}

function tiles(type: KvType, groupSize: number, facts = SOFTWARE_FACTS, headDim = 64): Flavour {
  const shape = checkShape({ numQHeads: groupSize, numKvHeads: 1, headDim });
  return { type, headDim, groupSize, variant: chooseTiles(shape, { kType: type, vType: type }, facts) };
}

// The shaders of decodeTiles.test.ts and decodeRegisters.test.ts, which are compiled once for all of them.
const FLAVOURS: readonly Flavour[] = [
  tiles('f32', 4),
  tiles('f16', 2),
  tiles('bf16', 1),
  tiles('int8', 1),
  tiles('int4', 1),
  tiles('f16', 2, GPU_FACTS, 80),
  registers('f32', 4, [16, 4, 2, 2, 2]),
  registers('f16', 2, [4, 4, 1, 1]),
  registers('bf16', 1, [8, 4, 2, 1]),
  registers('int8', 1, [8, 4, 2, 1]),
  registers('int4', 1, [8, 4, 1, 1]),
  registers('f16', 1, [8, 8, 1, 1], 80),
];

const CAN_RUN = FLAVOURS.filter(({ variant }) => {
  return (
    variant.template !== 'registers' ||
    (device.facts.subgroups && variant.lanes <= device.facts.subgroupMinSize)
  );
});

type Fill = (b: number, head: number, position: number, d: number) => number;

/** A problem from formulas for q (b, query head, 0, d), k and v (b, KV head, token, d); slots past a length are NaN. */
function problemOf(
  { headDim, type, groupSize }: Flavour,
  kvLens: readonly number[],
  q: Fill,
  k: Fill,
  v: Fill,
): StoredProblem {
  const capacity = Math.max(...kvLens) + 1;
  const numQHeads = groupSize * NUM_KV_HEADS;
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
    numQHeads,
    numKvHeads: NUM_KV_HEADS,
    headDim,
    kvLens,
    capacity,
    kType: type,
    smScale: 0.125,
    q: fill(numQHeads, 1, q),
    k: fill(NUM_KV_HEADS, capacity, k),
    v: fill(NUM_KV_HEADS, capacity, v),
  });
}

/** The fused kernel over splits of so many keys, and the merge of those that were split. */
async function attend({ variant }: Flavour, problem: StoredProblem, splitLen: number) {
  const shape = shapeOf(problem);
  const items = itemsOf(problem.kvLens, splitLen);
  const workgroups = workgroupsPerItem(shape, variant);
  const got = await runFused(device, problem, {
    kernel: fusedKernel(shape, problem, variant, F32_ROWS),
    workgroups,
    items,
  });
  const sequences = problem.kvLens.map((_, b) => {
    const own = items.filter((item) => item.b === b);
    return { first: own[0]!.state ?? 0, count: own.length };
  });
  const merged = await runKernel(device, {
    kernel: decodeMergeKernel(shape, 1, F32_ROWS),
    grid: rowGrid(shape, shape.qLen),
    inputs: {
      partial: packStates({ ...got, o: got.partialO, headDim: problem.headDim }),
    },
    outputs: { o: unwritten(problem.q.length), lse: unwritten(shape.rows) },
    step: stepWords({ ...numbersOf(problem), sequences }),
  });
  const either = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Float32Array.from(a, (x, i) => (x === Math.fround(SENTINEL) ? b[i]! : x));
  return { o: either(got.o, merged.o!), lse: either(got.lse, merged.lse!) };
}

// Software adapters compute exp(0) = 1 and divide exactly. WGSL allows both a few units in the last place.
const RELATIVE = device.facts.software ? 0 : 2 ** -21;

/** Every element of o is what `expected` says for (b, query head, d), as far as rounding lets it. */
function expectOutput(
  { groupSize }: Flavour,
  problem: StoredProblem,
  o: Float32Array,
  expected: Fill,
  relative = RELATIVE,
): void {
  const { headDim } = problem;
  const heads = groupSize * NUM_KV_HEADS;
  const wrong = [...o.keys()].filter((at) => {
    const row = Math.floor(at / headDim);
    const want = expected(Math.floor(row / heads), row % heads, 0, at % headDim);
    return !(Math.abs(o[at]! - want) <= relative * Math.max(1, Math.abs(want)));
  });
  expect(wrong.map((at) => `o[${at}] = ${o[at]}`)).toEqual([]);
}

/** Any numbers, the same for the same place, exact as halves. */
const anyHalf: Fill = (b, head, t, d) => ((b * 31 + head * 17 + t * 7 + d * 3) % 61) / 4 - 7;

const named = CAN_RUN.map((flavour) => {
  return [`${flavour.type} d${flavour.headDim} ${variantName(flavour.variant)}`, flavour] as const;
});

describe.each(named)('%s', (_, flavour) => {
  const { headDim, groupSize, type } = flavour;
  const kvHead = (h: number) => Math.floor(h / groupSize);
  // Sums of numbers that are no halves round; so do weights that registers sums in another order than weighted values.
  const rounding = type === 'int8' || type === 'int4' ? 2 ** -18 : RELATIVE;
  const random = normals(1, 4096);
  const anything: Fill = (b, head, t, d) => random[(b * 1009 + head * 499 + t * 131 + d) % 4096]!;
  /** What a cache really holds of a problem's values. */
  const held =
    ({ v, capacity }: StoredProblem): Fill =>
    (b, hk, t, d) =>
      v[((b * NUM_KV_HEADS + hk) * capacity + t) * headDim + d]!;

  describe.each([1000, 7])('splits of %i keys', (splitLen) => {
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
      const { o, lse } = await attend(flavour, problem, splitLen);
      const value = held(problem);
      expectOutput(flavour, problem, o, (b, h, _i, d) => value(b, kvHead(h), chosen(b, h), d));
      // A quantised 1 is off by the rounding of its scale to bf16.
      const largest = Math.max(...problem.k.filter((x) => !Number.isNaN(x)));
      for (const x of lse) expect(Math.abs(x - 256 * largest)).toBeLessThanOrEqual(rounding * 256);
    });

    test('equal keys give the mean of the values', async () => {
      const kvLens = [128, 1, 2, 64];
      const problem = problemOf(flavour, kvLens, anything, (b, hk, _t, d) => anyHalf(b, hk, 0, d), anyHalf);
      const { o } = await attend(flavour, problem, splitLen);
      const value = held(problem);
      const mean: Fill = (b, h, _i, d) => {
        let sum = 0; // of quarters, and lengths are powers of two: exact where the type holds them
        for (let t = 0; t < kvLens[b]!; t++) sum += value(b, kvHead(h), t, d);
        return sum / kvLens[b]!;
      };
      expectOutput(flavour, problem, o, mean, rounding);
    });

    test('constant values come back, to each query head those of its own KV head', async () => {
      const kvLens = [100, 7, 65];
      const constant: Fill = (b, hk) => 2 ** (hk + 3 * b - 4) * (hk % 2 ? -1 : 1);
      const problem = problemOf(flavour, kvLens, anything, anything, constant);
      const { o } = await attend(flavour, problem, splitLen);
      const value = held(problem);
      // Weights and weighted values are summed in other orders, by other invocations: the two round apart.
      const order = Math.max(rounding, 2 ** -20);
      expectOutput(flavour, problem, o, (b, h) => value(b, kvHead(h), 0, 0), order);
      const distinct = new Set(Array.from(o, (x) => x.toPrecision(4)));
      expect(distinct.size).toBe(kvLens.length * NUM_KV_HEADS);
    });

    test('one token gives its value, no token gives 0', async () => {
      const problem = problemOf(flavour, [1, 0, 1], anything, anything, anyHalf);
      const { o, lse } = await attend(flavour, problem, splitLen);
      const value = held(problem);
      expectOutput(flavour, problem, o, (b, h, _i, d) => (b === 1 ? 0 : value(b, kvHead(h), 0, d)));
      expect([...lse].map((x) => x === Math.fround(-3.0e38))).toEqual(
        Array.from({ length: lse.length }, (_x, row) => row >= lse.length / 3 && row < (2 * lse.length) / 3),
      );
    });
  });
});
