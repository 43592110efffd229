// overflow.test.ts: rows whose scores leave the range of f32 are NaN, never numbers and never rows without keys; very large
// scores within it are right.
import { describe, expect, test } from 'vitest';
import { normals } from '../../src/numbers/random.ts';
import { storeProblem, type StoredProblem } from '../../src/reference/problem.ts';
import { runProblem } from '../../bench/check/runProblem.ts';
import { KV_TYPES, LSE_EMPTY, type KvType } from '../../src/index.ts';
import { attention } from '../../src/reference/attention.ts';
import { testDevice } from '../support/device.ts';
import { KERNELS } from '../support/kernels.ts';

const device = await testDevice();

const [G, HKV, D, T] = [2, 2, 64, 70];
const NOTHING = Math.fround(LSE_EMPTY);

/** One sequence: its length, the size of all elements of q, and of those of each key; undefined for random normal ones. */
interface Sequence {
  readonly name: string;
  readonly kvLen: number;
  readonly q?: number;
  readonly k?: (t: number) => number;
  readonly v?: (t: number) => number | undefined;
}

/** A score is D * q * k / 8: 8 times q times k. */
const SEQUENCES: readonly Sequence[] = [
  { name: 'ordinary', kvLen: T },
  { name: 'no key', kvLen: 0 },
  { name: 'far past f32', kvLen: T, q: 1e37, k: () => 1e19 },
  { name: 'far past f32 below', kvLen: T, q: 1e37, k: () => -1e19 },
  { name: 'one key past f32', kvLen: T, q: 1e37, k: (t) => (t === 41 ? 1000 : 0) },
  { name: 'one key past f32 below', kvLen: T, q: 1e37, k: (t) => (t === 41 ? -1000 : 0) },
  { name: '-8e37', kvLen: T, q: 1e34, k: () => -1000 },
  { name: '8e37', kvLen: T, q: 1e34, k: () => 1000 },
  { name: 'from -2.8e38 to 2.8e38', kvLen: T, q: 3.5e34, k: (t) => (t === 41 || t === 12 ? 1000 : -1000) },
  { name: 'from 2.8e38 to -2.8e38', kvLen: T, q: -3.5e34, k: (t) => (t === 41 || t === 12 ? -1000 : 1000) },
  { name: 'one ordinary key', kvLen: 1 },
];

function problemOf(type: KvType, sequences: readonly Sequence[], qLen = 1): StoredProblem {
  const batch = sequences.length;
  const q = normals(1, batch * HKV * G * qLen * D);
  const k = normals(2, batch * HKV * T * D);
  const v = normals(3, batch * HKV * T * D);
  sequences.forEach((sequence, b) => {
    const perRow = HKV * G * qLen * D;
    if (sequence.q !== undefined) q.fill(sequence.q, b * perRow, (b + 1) * perRow);
    for (let row = 0; row < HKV * T; row++) {
      const at = (b * HKV * T + row) * D;
      if (sequence.k) k.fill(sequence.k(row % T), at, at + D);
      const value = sequence.v?.(row % T);
      if (value !== undefined) v.fill(value, at, at + D);
    }
  });
  const kvLens = sequences.map(({ kvLen }) => kvLen);
  const shape = { batch, numQHeads: HKV * G, numKvHeads: HKV, headDim: D, qLen, capacity: T };
  return storeProblem({ ...shape, kvLens, kType: type, q, k, v });
}

/** What a value stands for: a number, or which of those that are none. */
function kindOf(x: number): string {
  if (Number.isFinite(x)) return x === NOTHING ? 'floor' : 'number';
  return String(x);
}

/** Fails unless each row is what float64 says: NaN where that is, the floor where it sees no key, the same number elsewhere. */
function expectRows(
  problem: StoredProblem,
  names: readonly string[],
  got: { o: Float32Array; lse: Float32Array },
): void {
  const truth = attention(problem);
  const rows = G * HKV * problem.qLen;
  const wanted = Array.from(truth.lse, (x) => (x === -Infinity ? NOTHING : x));
  const nameOf = (row: number) => `${names[Math.floor(row / rows)]}, row ${row % rows}`;
  const kinds = (values: ArrayLike<number>, perRow: number) =>
    Array.from(values, (x, i) => `${nameOf(Math.floor(i / perRow))}: ${kindOf(x)}`);
  expect(kinds(got.lse, 1)).toEqual(kinds(wanted, 1));
  expect(kinds(got.o, D)).toEqual(kinds(truth.o, D));
  const distances = (a: ArrayLike<number>, b: ArrayLike<number>, perRow: number) =>
    Array.from(a, (x, i) => ({
      row: nameOf(Math.floor(i / perRow)),
      off: Math.abs(x - b[i]!) / (1 + Math.abs(b[i]!)),
    })).filter(({ off }) => off > 1e-5);
  expect(distances(got.lse, wanted, 1)).toEqual([]);
  expect(distances(got.o, truth.o, D)).toEqual([]);
}

describe.each(KERNELS)('%s', (kernel) => {
  const splits = kernel === 'plain' ? [1] : [1, 3];

  test.each(KV_TYPES.flatMap((type) => splits.map((numSplits) => [type, numSplits] as const)))(
    'a cache of %s in %i splits',
    async (type, numSplits) => {
      const problem = problemOf(type, SEQUENCES);
      const run = { kernel, ...(kernel !== 'plain' && { numSplits }) };
      const names = SEQUENCES.map(({ name }) => name);
      expectRows(problem, names, await runProblem(device, problem, run));
    },
  );

  test.each(['f32', 'bf16'] as const)('q = k = 1e19 and opposite signs in %s', async (type) => {
    const both: Sequence[] = [1e19, -1e19].map((size) => ({
      name: String(size),
      kvLen: 2,
      q: 1e19,
      k: () => size,
    }));
    const { o, lse } = await runProblem(device, problemOf(type, both), { kernel });
    expect([...o, ...lse].filter((x) => !Number.isNaN(x))).toEqual([]);
  });

  test.each(splits)('four positions, some of which see no key, in %i splits', async (numSplits) => {
    const past = (at: number) => (t: number) => (t === at ? 1000 : 1e-3);
    const sequences: Sequence[] = [
      { name: 'the last key alone past f32', kvLen: 2, q: 1e36, k: past(1) },
      { name: 'the first of two past f32', kvLen: 2, q: 1e36, k: past(0) },
      { name: 'the last of many past f32', kvLen: T, q: 1e36, k: past(T - 1) },
      { name: 'NaN in the last V', kvLen: T, v: (t) => (t === T - 1 ? NaN : undefined) },
      { name: 'infinity in the last V but one', kvLen: T, v: (t) => (t === T - 2 ? Infinity : undefined) },
      { name: 'NaN in the last K', kvLen: T, k: (t) => (t === T - 1 ? NaN : 0.5) },
      { name: 'no key', kvLen: 0 },
    ];
    const problem = problemOf('f32', sequences, 4);
    const run = { kernel, ...(kernel !== 'plain' && { numSplits }) };
    const names = sequences.map(({ name }) => name);
    expectRows(problem, names, await runProblem(device, problem, run));
  });

  test('values whose weighted sum leaves f32 give what is not finite, beside others that are right', async () => {
    const large = { name: 'V of 3e38', kvLen: T, k: () => 0, v: () => 3e38 };
    const problem = problemOf('f32', [large, { name: 'ordinary', kvLen: T }]);
    const { o, lse } = await runProblem(device, problem, { kernel });
    const half = o.length / 2;
    const finite = o.subarray(0, half).filter(Number.isFinite);
    // Plain weights sum to 1 and stay within.
    expect(finite.every((x) => Math.abs(x / 3e38 - 1) < 1e-5)).toBe(true);
    if (kernel !== 'plain') expect(finite).toHaveLength(0);
    o.fill(NaN, 0, half);
    const truth = attention(problem);
    for (let i = half; i < o.length; i++) expect(Math.abs(o[i]! - truth.o[i]!)).toBeLessThan(1e-5);
    expect([...lse].every(Number.isFinite)).toBe(true);
  });
});
