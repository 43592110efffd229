// steps.ts: what a layer does with rows of hidden states, in plain loops.
import { ropeFrequencies } from '../../numbers/rope.ts';
import type { AttentionSpec, NormSpec } from '../decoder/spec.ts';
import type { Arithmetic } from './arithmetic.ts';
import type { Weights } from './weights.ts';

/** Rows [rows, weights.inputs] times a matrix: [rows, weights.outputs]. `bias`: [tensor's outputs], by `rowOf`. */
export function product(
  rows: Float64Array,
  { inputs, outputs, values }: Weights,
  { round, dot }: Arithmetic,
  bias?: (output: number) => number,
): Float64Array {
  const count = rows.length / inputs;
  const out = new Float64Array(count * outputs);
  for (let output = 0; output < outputs; output++) {
    const added = bias?.(output) ?? 0;
    for (let row = 0; row < count; row++) {
      const sum = dot(values, output * inputs, rows, row * inputs, inputs);
      out[row * outputs + output] = added === 0 ? sum : round(sum + added);
    }
  }
  return out;
}

/** Weights of a norm, [width] each; 1 and 0 where there are none. */
export interface NormWeights {
  readonly weight?: ArrayLike<number> | undefined;
  readonly bias?: ArrayLike<number> | undefined;
}

/** RMSNorm (Zhang and Sennrich 2019) or LayerNorm (Ba et al. 2016) of rows of `width`. */
export function normalised(
  rows: Float64Array,
  width: number,
  { kind, fromOne, eps }: Pick<NormSpec, 'kind' | 'fromOne' | 'eps'>,
  { weight, bias }: NormWeights,
  { round }: Arithmetic,
): Float64Array {
  const out = new Float64Array(rows.length);
  for (let at = 0; at < rows.length; at += width) {
    const mean = kind === 'layer' ? round(sumFrom(rows, at, width, round) / width) : 0;
    let squares = 0;
    for (let i = 0; i < width; i++) squares = round(squares + round(round(rows[at + i]! - mean) ** 2));
    const root = round(Math.sqrt(round(round(squares / width) + eps)));
    for (let i = 0; i < width; i++) {
      const gain = round((weight?.[i] ?? 1) + (fromOne ? 1 : 0));
      const scaled = round(round(round(rows[at + i]! - mean) / root) * gain);
      out[at + i] = bias ? round(scaled + bias[i]!) : scaled;
    }
  }
  return out;
}

function sumFrom(rows: Float64Array, first: number, count: number, round: Arithmetic['round']): number {
  let sum = 0;
  for (let i = first; i < first + count; i++) sum = round(sum + rows[i]!);
  return sum;
}

/**
 * Turns heads in place, [positions, heads, D]: each pair by its frequency times the position, the first of which is 0. `capacity`: positions
 * that there may be.
 */
export function turn(
  values: Float64Array,
  heads: number,
  { headDim, rope, turnsBack }: AttentionSpec,
  { round }: Arithmetic,
  capacity: number,
): void {
  if (!rope) return;
  const { frequencies, attentionFactor } = ropeFrequencies({ ...rope, headDim }, capacity);
  const pairs = frequencies.length;
  for (let at = 0; at < values.length; at += headDim) {
    const position = Math.floor(at / headDim / heads);
    for (let pair = 0; pair < pairs; pair++) {
      const [a, b] =
        rope.style === 'interleaved' ? [at + 2 * pair, at + 2 * pair + 1] : [at + pair, at + pair + pairs];
      const angle = position * frequencies[pair]! * (turnsBack ? -1 : 1);
      const [cos, sin] = [round(attentionFactor * Math.cos(angle)), round(attentionFactor * Math.sin(angle))];
      const [x, y] = [values[a]!, values[b]!];
      values[a] = round(round(x * cos) - round(y * sin));
      values[b] = round(round(x * sin) + round(y * cos));
    }
  }
}

/** What is added to a query head's score of a key that lies `way` tokens behind the query's own, or before it where that is below 0. */
export type ScoreBias = (head: number, way: number) => number;

/** Which keys a query sees: no later ones where it is causal. */
export interface Sees {
  readonly causal: boolean;
  readonly bias?: ScoreBias | undefined;
}

/** Attention of q [T, Hq, D] over k and v [S, Hkv, D]: [T, Hq, D]. S is T where it is causal. */
export function attend(
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  spec: AttentionSpec,
  { causal, bias }: Sees,
  { round }: Arithmetic,
): Float64Array {
  const { numQHeads, numKvHeads, headDim, window = Infinity, softcap, scale } = spec;
  const out = new Float64Array(q.length);
  const group = numQHeads / numKvHeads;
  const keys = k.length / (numKvHeads * headDim);
  for (let row = 0; row < q.length / headDim; row++) {
    const [own, head] = [Math.floor(row / numQHeads), row % numQHeads];
    const first = Math.max(0, own - window + 1);
    const last = causal ? own : keys - 1;
    const placeOf = (t: number) => (t * numKvHeads + Math.floor(head / group)) * headDim;
    const scores: number[] = [];
    for (let t = first; t <= last; t++) {
      let dot = 0;
      for (let d = 0; d < headDim; d++) dot = round(dot + round(q[row * headDim + d]! * k[placeOf(t) + d]!));
      const score = capped(round(dot * scale), softcap, round);
      scores.push(bias ? round(score + bias(head, t - own)) : score);
    }
    const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    const weights = scores.map((score) => round(Math.exp(round(score - most))));
    const sum = weights.reduce((all, weight) => round(all + weight), 0);
    for (let d = 0; d < headDim; d++) {
      let o = 0;
      for (let t = first; t <= last; t++) o = round(o + round(weights[t - first]! * v[placeOf(t) + d]!));
      out[row * headDim + d] = round(o / sum);
    }
  }
  return out;
}

/** cap * tanh(x / cap), or x without a cap. */
export function capped(x: number, cap: number | undefined, round: Arithmetic['round']): number {
  return cap === undefined ? x : round(cap * round(Math.tanh(round(x / cap))));
}

/** The sum of rows, element by element. */
export function sumOf(a: Float64Array, b: Float64Array, { round }: Arithmetic): Float64Array {
  return a.map((x, i) => round(x + b[i]!));
}
