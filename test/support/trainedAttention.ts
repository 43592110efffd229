// trainedAttention.ts: problems of attention's backward pass, how far f32 may be from their gradients, and kernels tried on them.
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Grid, Kernel } from '../../src/kernels/kernel.ts';
import { attentionNumbers, type AttentionSizes } from '../../src/kernels/train/attention.ts';
import { normals } from '../../src/numbers/random.ts';
import { attentionDelta } from '../reference/attentionDelta.ts';
import { queryRows, trainedAttention, type AttentionBackward } from '../reference/trainedAttention.ts';
import { testDevice } from './device.ts';
import { exactly, expOf, minus, sumOfProducts, times, type Rounded } from './rounding.ts';
import { runKernel, unwritten } from './runKernel.ts';

/** A device as the kernels see it. */
export const KINDS = { CPU: { software: true }, GPU: { software: false } } as const;

/** Sizes of any problem, for fast-check: eights of elements of a head, and slots behind the last token. */
export const ANY_SIZES = {
  batch: fc.integer({ min: 1, max: 3 }),
  length: fc.integer({ min: 1, max: 20 }),
  numKvHeads: fc.integer({ min: 1, max: 3 }),
  eights: fc.integer({ min: 1, max: 8 }),
  spare: fc.integer({ min: 0, max: 5 }),
  seed: fc.integer({ min: 1, max: 1000 }),
};

/** Sizes with what most tests leave as it is. */
export function sizesOf(
  sizes: Partial<AttentionSizes> & Pick<AttentionSizes, 'headDim' | 'length'>,
): AttentionSizes {
  const { headDim, length } = sizes;
  return {
    batch: 1,
    numKvHeads: 1,
    groupSize: 1,
    capacity: length + 3,
    scale: Math.fround(1 / Math.sqrt(headDim)),
    ...sizes,
  };
}

type Problem = { readonly [Name in keyof AttentionBackward]: AttentionBackward[Name] } & {
  readonly [Name in 'q' | 'k' | 'v' | 'o' | 'd_o' | 'lse' | 'delta']: Float32Array<ArrayBuffer>;
};

/** Random numbers, each head's about a mean of its own; slots behind the last token hold NaN. */
export function problemOf(sizes: AttentionSizes, seed = 1): Problem {
  const { batch, length, numKvHeads, groupSize, headDim, capacity } = sizes;
  const heads = numKvHeads * groupSize;
  const rows = (start: number) =>
    normals(start, batch * length * heads * headDim).map(
      (x, i) => x + ((Math.floor(i / headDim) % heads) - heads / 2) / heads,
    );
  const slots = (start: number) =>
    normals(start, batch * numKvHeads * capacity * headDim).map((x, i) => {
      const [slot, head] = [
        Math.floor(i / headDim) % capacity,
        Math.floor(i / headDim / capacity) % numKvHeads,
      ];
      return slot < length ? x + head / 2 : NaN;
    });
  const [q, k, v, d_o] = [rows(seed), slots(seed + 1), slots(seed + 2), rows(seed + 3)];
  const { o, lse } = trainedAttention({ ...sizes, q, k, v });
  const delta = attentionDelta(sizes, o, d_o);
  return { ...sizes, q, k, v, d_o, o: f32(o), lse: f32(lse), delta: f32(delta) };
}

/** The same problem with what its forward pass gives in float64. */
export function exactly64(p: AttentionBackward): AttentionBackward {
  const { o, lse } = trainedAttention(p);
  return { ...p, lse, delta: attentionDelta(p, o, p.d_o) };
}

function f32(values: Float64Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(values);
}

/** Gradients with what f32 arithmetic may make of them, in the layout of their twins. */
export interface RoundedGradients {
  readonly d_q: readonly Rounded[];
  readonly d_k: readonly Rounded[];
  readonly d_v: readonly Rounded[];
}

/** What each element of a gradient is summed up from. */
type Terms = [factor: Rounded, element: Rounded][];

/** Follows the arithmetic of the kernels, whatever the order of their sums. */
export function roundedGradients(p: AttentionBackward): RoundedGradients {
  const { headDim, batch, length, numKvHeads } = p;
  const row = (values: ArrayLike<number>, start: number): Rounded[] =>
    Array.from({ length: headDim }, (_, d) => exactly(values[start + d]!));
  const d_q: Rounded[] = [];
  const termsOf = (count: number): Terms[] => Array.from({ length: count }, () => []);
  const ofKeys = termsOf(batch * length * numKvHeads * headDim);
  const ofValues = termsOf(ofKeys.length);
  for (const { query, figure, keys } of queryRows(p)) {
    const [q, d_o] = [row(p.q, query), row(p.d_o, query)];
    const ofQuery = termsOf(headDim);
    for (const { stored, gradient } of keys) {
      const [k, v] = [row(p.k, stored), row(p.v, stored)];
      const score = times(
        sumOfProducts(q, (d) => k[d]!),
        exactly(p.scale),
      );
      const weight = expOf(minus(score, exactly(p.lse[figure]!)));
      const change = minus(
        sumOfProducts(d_o, (d) => v[d]!),
        exactly(p.delta[figure]!),
      );
      const ofScore = times(weight, times(change, exactly(p.scale)));
      for (let d = 0; d < headDim; d++) {
        ofQuery[d]!.push([ofScore, k[d]!]);
        ofKeys[gradient + d]!.push([ofScore, q[d]!]);
        ofValues[gradient + d]!.push([weight, d_o[d]!]);
      }
    }
    for (const [d, terms] of ofQuery.entries()) d_q[query + d] = sumOf(terms);
  }
  return { d_q, d_k: ofKeys.map(sumOf), d_v: ofValues.map(sumOf) };
}

function sumOf(terms: Terms): Rounded {
  return sumOfProducts(
    terms.map(([factor]) => factor),
    (i) => terms[i]![1],
  );
}

/** Runs one of the kernels on a problem and returns d_qkv, [B * T, Hq + 2 Hkv, D]. */
export async function gradientsOf(kernel: Kernel, grid: Grid, p: Problem): Promise<ArrayLike<number>> {
  const { q, k, v, lse, delta, d_o, batch, length, numKvHeads, groupSize, headDim } = p;
  const { d_qkv } = await runKernel(await testDevice(), {
    kernel,
    grid,
    inputs: { q, k, v, lse, delta, d_o, numbers: attentionNumbers(p) },
    outputs: { d_qkv: unwritten(batch * length * numKvHeads * (groupSize + 2) * headDim) },
  });
  return d_qkv!;
}

/** A gradient that a kernel writes: to which heads of d_qkv, and what is wanted there. */
export interface Wanted {
  readonly name: string;
  readonly firstHead: number;
  readonly heads: number;
  /** [B * T, heads, D]. */
  readonly truth: ArrayLike<number>;
  readonly rounded: readonly Rounded[];
}

/** Every head of d_qkv is either wanted, and within what rounding allows, or as it was. */
export function expectGradients(got: ArrayLike<number>, p: AttentionSizes, wanted: readonly Wanted[]): void {
  const { numKvHeads, groupSize, headDim, batch, length } = p;
  const heads = numKvHeads * (groupSize + 2);
  const before = unwritten(1)[0]!;
  expect(got.length).toBe(batch * length * heads * headDim);
  const wrong: string[] = [];
  for (let i = 0; i < got.length; i++) {
    const [token, head, d] = [Math.floor(i / headDim / heads), Math.floor(i / headDim) % heads, i % headDim];
    const own = wanted.find(({ firstHead, heads: count }) => head >= firstHead && head < firstHead + count);
    const at = own ? (token * own.heads + head - own.firstHead) * headDim + d : 0;
    const want = own ? own.truth[at]! : before;
    const bound = own ? own.rounded[at]!.error : 0;
    const place = `${own?.name ?? 'not its own'}[token ${token}, head ${head}, ${d}]`;
    if (!(Math.abs(got[i]! - want) <= bound))
      wrong.push(`${place}: expected ${want} within ${bound}, got ${got[i]}`);
  }
  expect(wrong.slice(0, 5)).toEqual([]);
}
