// rows.test.ts: query positions that differ from sequence to sequence, and q and o in every layout and type, against float64.
import { describe, expect, test } from 'vitest';
import {
  createDecoder,
  createKvCache,
  createStorage,
  readBack,
  ShapeError,
  uploadStorage,
  type DecodeKernel,
} from '../../src/index.ts';
import type { RowType } from '../../src/kernels/rowFormats.ts';
import { f16Bits, f16Value } from '../../src/numbers/halves.ts';
import { normals } from '../../src/numbers/random.ts';
import { randomProblem, storeProblem, type StoredProblem } from '../../src/reference/problem.ts';
import { expect64 } from '../../src/reference/verify.ts';
import { runProblem } from '../../bench/check/runProblem.ts';
import { nearestHalf } from '../reference/storedRows.ts';
import { expectClose } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';
import { failure } from '../support/failure.ts';
import { KERNELS } from '../support/kernels.ts';
import { runsOf } from '../support/randomRuns.ts';
import {
  picked,
  placed,
  placements,
  untouched,
  type Placement,
  type RowSizes,
} from '../support/placedRows.ts';

const device = await testDevice();
const kernels: readonly DecodeKernel[] = [...KERNELS, 'prefill'];

const [HQ, D, DV] = [4, 32, 16];
// All positions, none, one over no key, a sequence shorter than its positions, and one in between.
const STEP = { kvLens: [130, 70, 0, 2, 65], qLens: [5, 0, 1, 4, 3] };

function problemOf(more: Partial<StoredProblem> = {}, qType: RowType = 'f32'): StoredProblem {
  const sizes = {
    batch: 5,
    numQHeads: HQ,
    numKvHeads: 2,
    headDim: D,
    vHeadDim: DV,
    qLen: 5,
    kType: 'f16',
  } as const;
  const problem = randomProblem({ ...sizes, ...STEP, capacity: 133, ...more });
  if (qType === 'f16') problem.q.forEach((x, i) => (problem.q[i] = f16Value(f16Bits(x))));
  return problem;
}

const sizesOf = (problem: StoredProblem, dim: number): RowSizes => ({
  heads: HQ,
  most: problem.qLen,
  lens: problem.qLens!,
  dim,
});

interface Layouts {
  readonly kernel: DecodeKernel;
  readonly types: { readonly q: RowType; readonly o: RowType };
  readonly q: Placement;
  readonly o: Placement;
  readonly lse: Placement;
}

/** One step with rows where the layouts have them; NaN around those of q, and nothing may be written around those of o. */
async function run(problem: StoredProblem, { kernel, types, q, o, lse }: Layouts) {
  const { batch, numKvHeads, headDim, vHeadDim, capacity, kType, vType, kvLens, qLens, qLen } = problem;
  const heads = { batch, numKvHeads, headDim, vHeadDim };
  using cache = await createKvCache(device, { ...heads, capacity, kType, vType });
  cache.load({ k: problem.kStored, v: problem.vStored, kvLens });
  using decoder = await createDecoder(device, {
    cache,
    numQHeads: HQ,
    qLen,
    causal: problem.causal,
    kernel,
    fixedSplits: true,
    q: { ...q.options, type: types.q },
    o: { ...o.options, type: types.o },
  });
  const buffers = {
    q: uploadStorage(device, 'q', placed(sizesOf(problem, D), q, types.q, problem.q)),
    o: uploadStorage(device, 'o', untouched(types.o, o.elements)),
    lse: uploadStorage(device, 'lse', untouched('f32', lse.elements)),
  };
  const step = await decoder.bind(buffers);
  // The first sequence in three splits, for the merge.
  step.run(decoder.plan({ kvLens, qLens: qLens!, ...(kernel !== 'plain' && { numSplits: 3 }) }));
  const result = {
    o: picked(sizesOf(problem, DV), o, types.o, await readBack(device, buffers.o)),
    lse: picked(sizesOf(problem, 1), lse, 'f32', await readBack(device, buffers.lse)),
  };
  for (const buffer of Object.values(buffers)) buffer.destroy();
  return result;
}

/** Within the bound, and half a unit of f16's last place where outputs are rounded to it. */
function expectHalves(problem: StoredProblem, o: Float32Array, lse: Float32Array): void {
  const { bound, truth } = expect64(problem);
  const off = [...o.keys()].filter((at) => {
    const right = truth.o[at]!;
    return !(Math.abs(o[at]! - right) <= bound + Math.abs(right) * 2 ** -11 + 2 ** -25);
  });
  expect(off.map((at) => `o[${at}]: ${o[at]} for ${truth.o[at]}`).slice(0, 3)).toEqual([]);
  expect(o.every((x) => Object.is(f16Value(f16Bits(x)), x))).toBe(true);
  expectClose(problem, Float32Array.from(truth.o), lse);
}

const LAYOUTS = Object.keys(placements(sizesOf(problemOf(), D)));

/** Where log-sum-exps lie beside o of each layout. */
const LSE_OF: Readonly<Record<string, string>> = {
  BLHD: 'BLHD',
  packed: 'packed',
  'a packed fused buffer': 'packed',
};

describe.each(kernels)('%s', (kernel) => {
  test.each(LAYOUTS)('rows as %s', async (layout) => {
    const problem = problemOf();
    // Another layout for q than for o, so that neither can stand for the other; the next one's o, and this one's q.
    const oLayout = LAYOUTS[(LAYOUTS.indexOf(layout) + 1) % LAYOUTS.length]!;
    const { o, lse } = await run(problem, {
      kernel,
      types: { q: 'f32', o: 'f32' },
      q: placements(sizesOf(problem, D))[layout]!,
      o: placements(sizesOf(problem, DV))[oLayout]!,
      lse: placements(sizesOf(problem, 1))[LSE_OF[oLayout] ?? 'BHLD']!,
    });
    expectClose(problem, o, lse, `q ${layout}, o ${oLayout}`);
  });

  test('rows of f16, in and out', async () => {
    const problem = problemOf({}, 'f16');
    for (const layout of ['BHLD', 'a packed fused buffer']) {
      const { o, lse } = await run(problem, {
        kernel,
        types: { q: 'f16', o: 'f16' },
        q: placements(sizesOf(problem, D))[layout]!,
        o: placements(sizesOf(problem, DV))[layout]!,
        lse: placements(sizesOf(problem, 1))[LSE_OF[layout] ?? 'BHLD']!,
      });
      expectHalves(problem, o, lse);
    }
  });

  // Of the others, and of their features: features.test.ts.
  test.runIf(kernel === 'prefill')('positions that differ, without a causal mask', async () => {
    const problem = problemOf({ causal: false });
    const { o, lse } = await runProblem(device, problem, { kernel, numSplits: 3 });
    expectClose(problem, o, lse);
  });

  test('any lengths and positions at random', async () => {
    for (let seed = 1; seed <= runsOf(5); seed++) {
      const dice = normals(seed, 10).map(Math.abs);
      const kvLens = Array.from(dice.subarray(0, 5), (x) => Math.min(133, Math.floor(x * 60)));
      const qLens = Array.from(dice.subarray(5), (x) => Math.min(5, Math.floor(x * 3)));
      const problem = problemOf({ kvLens, qLens });
      const { o, lse } = await runProblem(device, problem, { kernel });
      expectClose(problem, o, lse, `${kvLens.join()} keys, ${qLens.join()} positions`);
    }
  });

  test('a step without any position writes nothing', async () => {
    const problem = problemOf({ qLens: [0, 0, 0, 0, 0] });
    const { o, lse } = await runProblem(device, problem, { kernel });
    expect([...o, ...lse].every(Number.isNaN)).toBe(true);
  });
});

test('outputs of f16 are the nearest, ties to even; past 65504 infinity, NaN stays NaN', async () => {
  const special = [
    65504,
    65519.996,
    65520,
    1e6,
    -3e38,
    Infinity,
    -Infinity,
    NaN,
    0,
    -0,
    2 ** -24,
    2 ** -25,
    3 * 2 ** -26,
    2 ** -14,
    2 ** -14 - 2 ** -25,
    1 + 2 ** -11,
    1 + 3 * 2 ** -11,
    -(2 ** -26),
    ...normals(3, 14),
  ];
  const dims = { headDim: D, vHeadDim: special.length };
  const one = { numQHeads: 1, numKvHeads: 1, ...dims, kvLens: [1] };
  const [q, k] = [new Float32Array(D), new Float32Array(D)];
  const problem = storeProblem({ ...one, q, k, v: Float32Array.from(special) });
  using cache = await createKvCache(device, { numKvHeads: 1, ...dims, capacity: 1 });
  cache.load({ k: problem.kStored, v: problem.vStored, kvLens: [1] });
  using decoder = await createDecoder(device, { cache, numQHeads: 1, o: { type: 'f16' } });
  const o = createStorage(device, 'o', special.length * 2);
  const step = await decoder.bind({ q: uploadStorage(device, 'q', q), o });
  step.run(decoder.plan({ kvLens: [1] }));
  const got = new Uint16Array(await readBack(device, o));
  const right = special.map((x) => {
    const sign = x < 0 ? 0x8000 : 0;
    // A sum that begins at 0 has no negative zero.
    if (x === 0) return 0;
    return Math.abs(x) >= 65520 ? sign + 0x7c00 : nearestHalf(Math.fround(x));
  });
  expect([...got]).toEqual(right);
});

describe('bad input', () => {
  const options = { numQHeads: 2, qLen: 3 };
  const open = async () => createKvCache(device, { batch: 2, numKvHeads: 1, headDim: 64, capacity: 8 });

  test.each([
    [{ q: { type: 'bf16' } }, 'decoder: q: type must be one of f32, f16, got "bf16"'],
    [{ q: { layout: 'BDLH' } }, 'decoder: q: layout must be one of BHLD, BLHD, packed, got "BDLH"'],
    [{ q: { offset: 6 } }, 'decoder: q: offset: expected a multiple of 4 elements, got 6'],
    [{ q: { offset: -4 } }, 'decoder: q: offset: expected a whole number from 0 to 4294967296, got -4'],
    [{ o: { layout: { head: 64 } } }, 'decoder: o: layout: position: expected a whole number from 0 to'],
    [
      { q: { layout: { head: 2, position: 64 } } },
      'decoder: q: layout: head: expected a multiple of 4 elements, got 2',
    ],
    [
      { o: { layout: { head: 60, position: 128 } } },
      'decoder: o: layout: head: expected at least 64 elements',
    ],
    [
      { o: { layout: { head: 64, position: 64, batch: 384 } } },
      'decoder: o: layout: position: expected at least 128 elements, so that no rows overlap, got 64',
    ],
    [{ o: { layuot: 'BLHD' } }, 'decoder: o: there is no option layuot; did you mean layout?'],
  ])('%o', async (wrong, expected) => {
    using cache = await open();
    const made = () => createDecoder(device, { cache, ...options, ...(wrong as object) });
    expect((await failure(ShapeError, made)).message).toContain(expected);
  });

  test('numbers of positions, and buffers that a plan reaches past', async () => {
    using cache = await open();
    cache.load({
      k: new Uint8Array(cache.layout.kBytes),
      v: new Uint8Array(cache.layout.vBytes),
      kvLens: [8, 8],
    });
    using decoder = await createDecoder(device, {
      cache,
      ...options,
      kernel: 'plain',
      q: { layout: 'packed' },
      o: { layout: 'packed' },
    });
    const plan = (qLens: number[]) => decoder.plan({ kvLens: [8, 8], qLens });
    for (const [qLens, expected] of [
      [[1], 'plan: qLens: expected an array of 2 numbers, one per sequence, got'],
      [[1, 4], 'plan: qLens of sequence 1: expected a whole number from 0 to 3, got 4'],
      [[1, -1], 'plan: qLens of sequence 1: expected a whole number from 0 to 3, got -1'],
    ] as const) {
      expect((await failure(ShapeError, () => plan([...qLens]))).message).toContain(expected);
    }
    const [q, o, lse] = [512, 1024, 1024].map((tokenBytes) => createStorage(device, 'rows', 2 * tokenBytes));
    const step = await decoder.bind({ q: q!, o: o!, lse: lse! });
    step.run(plan([1, 1]));
    const error = await failure(ShapeError, () => step.run(plan([1, 2])));
    expect(error.message).toBe(
      `record: layer 0: q: expected at least ${3 * 512} bytes for the plan's rows, got 1024`,
    );
    await device.idle();
  });

  test('dense rows are exactly as many bytes', async () => {
    using cache = await open();
    using decoder = await createDecoder(device, { cache, ...options, o: { type: 'f16', layout: 'BLHD' } });
    const [q, o] = [createStorage(device, 'q', 12 * 64 * 4), createStorage(device, 'o', 12 * 64 * 4)];
    const error = await failure(ShapeError, () => decoder.bind({ q, o }));
    expect(error.message).toBe(`bind: o: expected ${12 * 64 * 2} bytes, got ${12 * 64 * 4}`);
  });
});
