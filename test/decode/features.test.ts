// features.test.ts: softcap, windows, sink logits, ALiBi, bias and trees, apart and together, on each kernel against float64.
import { describe, expect, test } from 'vitest';
import {
  randomProblem,
  storeProblem,
  type ProblemOptions,
  type StoredProblem,
} from '../../src/reference/problem.ts';
import type { ProblemFeatures } from '../../src/reference/problemFeatures.ts';
import { LSE_EMPTY, type KernelChoice } from '../../src/index.ts';
import { normals } from '../../src/numbers/random.ts';
import { runProblem } from '../../bench/check/runProblem.ts';
import { expectClose } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';
import { KERNELS } from '../support/kernels.ts';

const device = await testDevice();
const kernels = KERNELS;

const LENS = [130, 3, 0, 1, 64];
const KEYS = 133;
/** Small heads and groups: what a shader costs to compile grows with both, and features know neither. */
const [B, HQ, D] = [LENS.length, 4, 16];
/** Positions of a step where sequences differ in them. */
const RAGGED = [3, 2, 0, 1, 1];
/** A window that some sequences exceed, and a step of several positions. */
const [WINDOW, Q] = [33, 3];

/** Numbers of each query head, no two alike. */
const perHead = (from: number, step: number) => Array.from({ length: HQ }, (_, h) => from + h * step);

const sinkLogits = perHead(-2, 1.3);
const alibiSlopes = perHead(0.02, 0.07);

/** A bias of this shape that hides every fifth key, in turns as minus infinity and as torch's least f32. */
function biasOf(shape: readonly [number, number, number, number]) {
  const values = normals(5, shape[0] * shape[1] * shape[2] * shape[3]);
  for (let at = 0; at < values.length; at += 5) values[at] = at % 2 === 0 ? -Infinity : -3.4e38;
  return { shape, values };
}

/** A bias by distance that only some keys of the longest sequence have numbers of their own for. */
const relativeBias = { farthest: 40, values: normals(6, HQ * 81) };

/** Trees of three positions: siblings, a chain with a gap, and none that sees any new key. */
const treeMasks = LENS.map(
  (_, b) =>
    [
      [0b1n, 0b10n, 0b101n],
      [0b1n, 0b11n, 0b110n],
      [0n, 0n, 0n],
    ][b % 3]!,
);

function problemOf(
  features: ProblemFeatures,
  qLen: number,
  more: Partial<ProblemOptions> = {},
): StoredProblem {
  return randomProblem({
    batch: B,
    numQHeads: HQ,
    numKvHeads: 2,
    headDim: D,
    qLen,
    kvLens: LENS,
    capacity: KEYS,
    kType: 'f16',
    features,
    ...more,
  });
}

/** What meets in no line of a kernel is tried together: each kernel takes a second to compile. */
const CAP_SINKS = { softcap: 0.7, sinkLogits };
const CAPPED = { softcap: 1.5, sinkLogits };
const ROWS_BIAS = { bias: biasOf([B, HQ, Q, KEYS]) };
const SLOPES_BIAS = { ...ROWS_BIAS, alibiSlopes };
const ALL_WINDOW = { ...CAPPED, ...ROWS_BIAS, window: WINDOW, sinkTokens: 3, alibiSlopes };
const ALL_RELATIVE = { ...CAPPED, relativeBias, window: WINDOW, sinkTokens: 3, alibiSlopes };
const ALL_TREES = { ...CAPPED, ...ROWS_BIAS, treeMasks };

const CASES: readonly (readonly [string, ProblemFeatures, number])[] = [
  ['softcap and sink logits', CAP_SINKS, 1],
  ['ALiBi and a bias for each row', SLOPES_BIAS, Q],
  ['a window, several positions', { window: 7 }, Q],
  ['trees', { treeMasks }, Q],
  ['a window and sink tokens', { window: 7, sinkTokens: 5 }, Q],
  ['all that go with windows', ALL_WINDOW, Q],
  ['all that go with trees', ALL_TREES, Q],
  ['a bias by distance', { relativeBias }, 1],
  ['a bias by distance with all that go with it', ALL_RELATIVE, Q],
];

const fusedOnes = kernels.filter((kernel) => kernel !== 'plain');

/** Alone these meet one of the templates, and plain: what they do to scores is the same text in both, and together all meet each. */
const ALONE: Readonly<Record<string, KernelChoice>> = {
  'ALiBi and a bias for each row': 'tiles',
  trees: 'tiles',
  'a window, several positions': 'registers',
  'a window and sink tokens': 'registers',
};

/** Of cases those that a kernel runs; all where it is the only template. */
const ofKernel = <C extends readonly [string, ...unknown[]]>(kernel: KernelChoice, cases: readonly C[]) =>
  cases.filter(
    ([name]) => kernel === 'plain' || fusedOnes.length === 1 || (ALONE[name] ?? kernel) === kernel,
  );

/** Trees of as many positions as each sequence has. */
function raggedTrees({ treeMasks: masks, ...features }: ProblemFeatures): ProblemFeatures {
  return { ...features, ...(masks && { treeMasks: masks.map((each, b) => each.slice(0, RAGGED[b])) }) };
}

async function expectRight(
  problem: StoredProblem,
  kernel: KernelChoice,
  splits: readonly number[] = [1, 3],
): Promise<void> {
  for (const numSplits of kernel === 'plain' ? [1] : splits) {
    const { o, lse } = await runProblem(device, problem, { kernel, numSplits });
    expectClose(problem, o, lse, `${numSplits} splits`);
  }
}

describe.each(kernels)('features on %s', (kernel) => {
  test.each(ofKernel(kernel, CASES))('%s', async (_, features, qLen) => {
    await expectRight(problemOf(features, qLen), kernel);
  });

  // In the kernels of the cases above.
  const ragged: readonly (readonly [string, ProblemFeatures])[] = [
    ['ALiBi and a bias for each row', SLOPES_BIAS],
    ['a window, several positions', { window: 7 }],
    ['a window and sink tokens', { window: 7, sinkTokens: 5 }],
    ['trees', { treeMasks }],
    ['all that go with windows', ALL_WINDOW],
    ['all that go with trees', ALL_TREES],
    ['a bias by distance with all that go with it', ALL_RELATIVE],
  ];
  test.each(ofKernel(kernel, ragged))('sequences of different positions: %s', async (_, features) => {
    await expectRight(problemOf(raggedTrees(features), Q, { qLens: RAGGED }), kernel);
  });

  test('windows of every border: their kernels read no key before them', async () => {
    // The plain kernel is another one for each window.
    const all = [1, 2, 63, 64, 65, 129, 130, 131, 4_000_000_000];
    for (const window of kernel === 'plain' ? [1, 64, 130] : all) {
      await expectRight(withoutKeysBefore(problemOf({ window }, 1), window), kernel);
    }
  });

  test('sink tokens of every border: the kernels read no key between them and the windows', async () => {
    // Those of the case above, but for the plain one.
    const all = [0, 1, 2, 59, 60, 61, 4_000_000_000];
    for (const sinkTokens of kernel === 'plain' ? [2] : all) {
      const features = { window: 70, sinkTokens };
      await expectRight(withoutKeysBefore(problemOf(features, 1), 70, sinkTokens), kernel);
    }
  });

  test('a bias by distance of keys before and behind a position, where all are seen', async () => {
    const both = { causal: false, qLen: Q, qLens: RAGGED };
    await expectRight(problemOf({ relativeBias }, Q, both), kernel);
  });

  test('a bias of one distance is that of the head', async () => {
    const values = normals(7, HQ);
    await expectRight(problemOf({ relativeBias: { farthest: 0, values } }, 1), kernel);
  });

  test('a bias that hides all keys leaves nothing, or the sinks', async () => {
    const bias = biasOf([1, 1, 1, KEYS]);
    bias.values.fill(-Infinity);
    const rows = B * HQ * Q;
    const nothing = await runProblem(device, problemOf({ alibiSlopes, bias }, Q), { kernel });
    expect(nothing.o.every((x) => x === 0)).toBe(true);
    expect(Array.from(nothing.lse)).toEqual(Array.from({ length: rows }, () => LSE_EMPTY));
    const { o, lse } = await runProblem(device, problemOf({ ...ALL_WINDOW, bias }, Q), { kernel });
    expect(o.every((x) => x === 0)).toBe(true);
    expect(Array.from(lse)).toEqual(
      Array.from({ length: rows }, (_, row) => Math.fround(sinkLogits[Math.floor(row / Q) % HQ]!)),
    );
  });
});

/** NaN in all keys that no window has and that are no sink tokens: a row that read one of them would show it. */
function withoutKeysBefore(problem: StoredProblem, window: number, sinkTokens = 0): StoredProblem {
  const [k, v] = [problem.k.slice(), problem.v.slice()];
  problem.kvLens.forEach((kvLen, b) => {
    for (let head = 2 * b; head < 2 * b + 2; head++) {
      const start = head * problem.capacity * problem.headDim;
      const from = start + sinkTokens * problem.headDim;
      const to = Math.max(from, start + (kvLen - window) * problem.headDim);
      k.fill(NaN, from, to);
      v.fill(NaN, from, to);
    }
  });
  return storeProblem({ ...problem, k, v });
}

describe.each(fusedOnes)('features on %s', (kernel) => {
  test.each([
    ['a window', ALL_WINDOW],
    ['a tree', ALL_TREES],
  ])('keys that %s or a bias hides may hold NaN', async (_, features) => {
    const right = problemOf({ ...features, bias: biasOf([1, 1, 1, KEYS]) }, Q);
    const [k, v] = [right.k.slice(), right.v.slice()];
    for (let slot = 0; slot < k.length / D; slot++) {
      if ((slot % KEYS) % 5 !== 0) continue;
      k.fill(NaN, slot * D, (slot + 1) * D);
      v.fill(NaN, slot * D, (slot + 1) * D);
    }
    await expectRight(storeProblem({ ...right, k, v }), kernel);
  });

  test('scores far above a cap count as the cap; one past f32 is bad for all that', async () => {
    const problem = problemOf(CAP_SINKS, 1);
    problem.q.forEach((x, i) => (problem.q[i] = x * 1e4));
    await expectRight(problem, kernel);
    problem.q.fill(3e38, 0, D);
    const { o, lse } = await runProblem(device, problem, { kernel });
    expect(o.subarray(0, D).every(Number.isNaN)).toBe(true);
    expect(lse[0]).toBeNaN();
    expect(lse.subarray(1).some(Number.isNaN)).toBe(false);
  });
});
