// features.test.ts: softcap, windows, sink logits, ALiBi, bias and trees, alone and together, on each kernel against float64.
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
const [B, HQ] = [LENS.length, 6];

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
    headDim: 64,
    qLen,
    kvLens: LENS,
    capacity: KEYS,
    kType: 'f16',
    features,
    ...more,
  });
}

const ALL = { softcap: 1.5, sinkLogits, bias: biasOf([B, HQ, 3, KEYS]) };
const CASES: readonly (readonly [string, ProblemFeatures, number])[] = [
  ['softcap', { softcap: 0.7 }, 1],
  ['sink logits', { sinkLogits }, 1],
  ['ALiBi', { alibiSlopes }, 1],
  ['a bias for each row', { bias: biasOf([B, HQ, 3, KEYS]) }, 3],
  ['a window, several positions', { window: 7 }, 3],
  ['trees', { treeMasks }, 3],
  ['all that go with windows', { ...ALL, window: 33, alibiSlopes }, 3],
  ['all that go with trees', { ...ALL, treeMasks }, 3],
];

const fusedOnes = kernels.filter((kernel) => kernel !== 'plain');

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
  test.each(CASES)('%s', async (_, features, qLen) => {
    await expectRight(problemOf(features, qLen), kernel);
  });

  test('windows of every border: their kernels read no key before them', async () => {
    for (const window of [1, 2, 63, 64, 65, 129, 130, 131, 4_000_000_000]) {
      await expectRight(withoutKeysBefore(problemOf({ window }, 1), window), kernel);
    }
  });

  test('a bias that hides all keys leaves nothing, or the sinks', async () => {
    const hidden = biasOf([1, 1, 1, KEYS]);
    hidden.values.fill(-Infinity);
    const rows = B * HQ;
    const nothing = await runProblem(device, problemOf({ bias: hidden }, 1), { kernel });
    expect(nothing.o.every((x) => x === 0)).toBe(true);
    expect(Array.from(nothing.lse)).toEqual(Array.from({ length: rows }, () => LSE_EMPTY));
    const { o, lse } = await runProblem(device, problemOf({ bias: hidden, sinkLogits }, 1), { kernel });
    expect(o.every((x) => x === 0)).toBe(true);
    expect(Array.from(lse)).toEqual(
      Array.from({ length: rows }, (_, row) => Math.fround(sinkLogits[row % HQ]!)),
    );
  });
});

/** NaN in all keys that no window has: a row that read one of them would show it. */
function withoutKeysBefore(problem: StoredProblem, window: number): StoredProblem {
  const [k, v] = [problem.k.slice(), problem.v.slice()];
  problem.kvLens.forEach((kvLen, b) => {
    for (let head = 2 * b; head < 2 * b + 2; head++) {
      const from = head * problem.capacity * problem.headDim;
      const to = from + Math.max(0, kvLen - window) * problem.headDim;
      k.fill(NaN, from, to);
      v.fill(NaN, from, to);
    }
  });
  return storeProblem({ ...problem, k, v });
}

describe.each(fusedOnes)('features on %s', (kernel) => {
  test('keys that a window, a tree or a bias hides may hold NaN', async () => {
    const features = { window: 5, bias: biasOf([1, 1, 1, KEYS]) };
    const right = problemOf(features, 3);
    const [k, v] = [right.k.slice(), right.v.slice()];
    for (let slot = 0; slot < k.length / 64; slot++) {
      if ((slot % KEYS) % 5 !== 0) continue;
      k.fill(NaN, slot * 64, (slot + 1) * 64);
      v.fill(NaN, slot * 64, (slot + 1) * 64);
    }
    await expectRight(storeProblem({ ...right, k, v }), kernel);
  });

  test('scores far above a cap count as the cap; one past f32 is bad for all that', async () => {
    const problem = problemOf({ softcap: 0.7 }, 1);
    problem.q.forEach((x, i) => (problem.q[i] = x * 1e4));
    await expectRight(problem, kernel);
    problem.q.fill(3e38, 0, 64);
    const { o, lse } = await runProblem(device, problem, { kernel });
    expect(o.subarray(0, 64).every(Number.isNaN)).toBe(true);
    expect(lse[0]).toBeNaN();
    expect(lse.subarray(1).some(Number.isNaN)).toBe(false);
  });
});
