// expected.ts: what a shape's output has to be, and how far off an engine may be that computes in f32 or in f16.
import { f16Bits, f16Value } from '../../src/numbers/halves.ts';
import { attention, type AttentionProblem } from '../../src/reference/attention.ts';
import type { RowCheck } from '../schema/schema.ts';
import { largest, within, worstError } from '../../src/reference/verify.ts';
import { spotRows } from '../check/rowProblem.ts';
import { fromElements, type PeerInputs, type PeerShape, type PeerType } from './inputs.ts';

/** Float64 truth of rows of the output, one behind the other, and the bound on an engine's worst absolute error, by the type it computes in. */
export interface PeerExpected {
  /** Where these rows are in the output [N, Hq, D]. */
  readonly rows: readonly number[];
  readonly truth: Float64Array;
  readonly bounds: Readonly<Record<PeerType, number>>;
}

/**
 * flash-attention's rule in both types: an engine's worst error may be twice that of a simple implementation in its own
 * type, plus a slack for that type's rounding. In f32 that is 1e-6 of the largest expected magnitude, as everywhere
 * here; in f16 it is that rule's own (hopper/test_flash_attn.py): twice what adding 0.3 to the output and taking it
 * away again changes.
 */
export function expectPeers(inputs: PeerInputs): PeerExpected {
  const { shape } = inputs;
  const problems = shape.prompt
    ? promptProblems(inputs)
    : [{ rows: allHeads(shape), problem: problemOf(inputs) }];
  const all = (of: (problem: AttentionProblem) => ArrayLike<number>) =>
    Float64Array.from(problems.flatMap(({ problem }) => Array.from(of(problem))));
  const truth = all((problem) => attention(problem).o);
  const worst = (simple: ArrayLike<number>) => worstError(simple, truth).error;
  const f32 = 2 * worst(all((problem) => attention(problem, Math.fround).o)) + 1e-6 * largest(truth);
  const f16 = shape.type === 'f16' ? 2 * worst(all(halfAttention)) + halfSlack(truth) : f32;
  return { rows: problems.flatMap(({ rows }) => rows), truth, bounds: { f32, f16 } };
}

function allHeads({ heads }: PeerShape): number[] {
  return Array.from({ length: heads }, (_, h) => h);
}

/** Some rows of a prompt: all of them would take longer than the comparison. */
function promptProblems(inputs: PeerInputs): { rows: number[]; problem: AttentionProblem }[] {
  const { shape, q, k, v } = inputs;
  const { heads, kvHeads, headDim, depth } = shape;
  const [keys, values] = [fromElements(k), fromElements(v)];
  return spotRows({ batch: 1, numQHeads: heads, qLen: depth }).map(([, head, position]) => {
    const row = position * heads + head;
    const first = Math.floor((head * kvHeads) / heads) * depth * headDim;
    const seen = (all: Float32Array<ArrayBuffer>) => all.slice(first, first + (position + 1) * headDim);
    const one = { ...shape, heads: 1, kvHeads: 1, depth: position + 1 };
    const query = q.slice(row * headDim, (row + 1) * headDim);
    return { rows: [row], problem: problemOf({ shape: one, q: query, k: seen(keys), v: seen(values) }) };
  });
}

function halfSlack(truth: Float64Array): number {
  const rounded = truth.map(half);
  return (
    2 *
    worstError(
      rounded.map((x) => half(half(x + 0.3) - 0.3)),
      rounded,
    ).error
  );
}

/** Holds an output against the truth. */
export function checkOutput(
  { rows, truth, bounds }: PeerExpected,
  arithmetic: PeerType,
  o: Float32Array,
): RowCheck {
  const dim = truth.length / rows.length;
  const checked = rows.flatMap((row) => Array.from(o.subarray(row * dim, (row + 1) * dim)));
  const { error } = worstError(checked, truth);
  const bound = bounds[arithmetic];
  return { ref: 'cpu-f64', pass: within(error, bound), maxAbsErr: error, bound };
}

function problemOf({ shape, q, k, v }: PeerInputs): AttentionProblem {
  const { heads, kvHeads, headDim, depth } = shape;
  return {
    batch: 1,
    numQHeads: heads,
    numKvHeads: kvHeads,
    headDim,
    qLen: 1,
    causal: true,
    capacity: depth,
    kvLens: [depth],
    smScale: 1 / Math.sqrt(headDim),
    q,
    k: fromElements(k),
    v: fromElements(v),
  };
}

/**
 * Attention [Hq, D] of one sequence as frameworks compute it in f16: scores, weights and output are tensors of f16,
 * sums within a step are f32.
 */
export function halfAttention(p: AttentionProblem): Float64Array {
  const { numQHeads, numKvHeads, headDim, capacity } = p;
  const o = new Float64Array(numQHeads * headDim);
  for (let h = 0; h < numQHeads; h++) {
    const kv = Math.floor(h / (numQHeads / numKvHeads)) * capacity * headDim;
    const weights = halfSoftmax(halfScores(p, h, kv));
    const sums = new Float32Array(headDim);
    weights.forEach((weight, t) => {
      for (let d = 0; d < headDim; d++) sums[d]! += Math.fround(weight * p.v[kv + t * headDim + d]!);
    });
    o.set(Float64Array.from(sums, half), h * headDim);
  }
  return o;
}

function halfScores(p: AttentionProblem, h: number, kv: number): Float64Array {
  const scores = new Float64Array(p.kvLens[0]!);
  for (let t = 0; t < scores.length; t++) {
    let dot = 0;
    for (let d = 0; d < p.headDim; d++) {
      dot = Math.fround(dot + Math.fround(p.q[h * p.headDim + d]! * p.k[kv + t * p.headDim + d]!));
    }
    scores[t] = half(half(dot) * p.smScale);
  }
  return scores;
}

function halfSoftmax(scores: Float64Array): Float64Array {
  const m = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = scores.map((score) => Math.fround(Math.exp(score - m)));
  const l = weights.reduce((a, b) => Math.fround(a + b), 0);
  return weights.map((weight) => half(weight / l));
}

function half(x: number): number {
  return f16Value(f16Bits(x));
}
