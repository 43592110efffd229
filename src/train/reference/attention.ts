// attention.ts: a layer's causal attention and its backward pass, one query row after the other.
import type { AttentionSpec } from '../../models/decoder/spec.ts';
import type { Parameters } from './parameters.ts';
import { added, inTurn, norm, project, softCapped, turned, type Step } from './steps.ts';

/** What attention makes of normed rows of a sequence: projections, norms of heads, turns, softmax(q k^T) v, the output projection. */
export function attention(parameters: Parameters, spec: AttentionSpec): Step {
  if (spec.relativeBias) throw new Error('gradients of biases by distance are not known');
  const [toQ, toK] = [headsOf(parameters, spec, 'q'), headsOf(parameters, spec, 'k')];
  const [toV, toOutput] = [project(parameters, spec.v), project(parameters, spec.o)];
  return (x) => {
    const [q, k, v] = [toQ(x), toK(x), toV(x)];
    const { o, back } = attend(q.y, k.y, v.y, spec);
    const output = toOutput(o);
    return {
      y: output.y,
      back: (dY) => {
        const { dQ, dK, dV } = back(output.back(dY));
        return added(q.back(dQ), k.back(dK), v.back(dV));
      },
    };
  };
}

/** Heads as they are compared: projected, normed where they are, turned. */
function headsOf(parameters: Parameters, spec: AttentionSpec, of: 'q' | 'k'): Step {
  const { numQHeads, numKvHeads, headDim, qkNorm } = spec;
  const turns = turned(of === 'q' ? numQHeads : numKvHeads, spec);
  if (!qkNorm) return inTurn(project(parameters, spec[of]), turns);
  const { [of]: weight, fromOne, eps } = qkNorm;
  const ofHead = { kind: 'rms', fromOne, eps, ...(weight !== undefined && { weight }) } as const;
  return inTurn(project(parameters, spec[of]), norm(parameters, headDim, ofHead), turns);
}

interface Attended {
  /** [T, Hq, D] */
  readonly o: Float64Array;
  /** Gradients by q, k and v from that by o. */
  readonly back: (dO: Float64Array) => Record<'dQ' | 'dK' | 'dV', Float64Array>;
}

/** Attention of q [T, Hq, D] over k and v [T, Hkv, D]. */
function attend(q: Float64Array, k: Float64Array, v: Float64Array, spec: AttentionSpec): Attended {
  const { numQHeads, numKvHeads, headDim, window = Infinity, scale, softcap } = spec;
  const group = numQHeads / numKvHeads;
  const o = new Float64Array(q.length);
  const rows = Array.from({ length: q.length / headDim }, (_, row) => {
    const [own, head] = [Math.floor(row / numQHeads), row % numQHeads];
    const first = Math.max(0, own - window + 1);
    const at = row * headDim;
    /** Where the keys that the query sees lie, and their values. */
    const places = Array.from(
      { length: own - first + 1 },
      (__, i) => ((first + i) * numKvHeads + Math.floor(head / group)) * headDim,
    );
    const dots = Float64Array.from(places, (place) => scale * dot(q, at, k, place, headDim));
    const scores = softCapped(softcap)(dots);
    const weights = softmax(scores.y);
    places.forEach((place, i) => add(o, at, v, place, weights[i]!, headDim));
    return { at, places, scores, weights };
  });
  const back = (dO: Float64Array) => {
    const [dQ, dK, dV] = [q, k, v].map(({ length }) => new Float64Array(length)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    for (const { at, places, scores, weights } of rows) {
      const dWeights = places.map((place) => dot(dO, at, v, place, headDim));
      const mean = dWeights.reduce((sum, d, i) => sum + d * weights[i]!, 0);
      const dDots = scores.back(weights.map((weight, i) => weight * (dWeights[i]! - mean)));
      places.forEach((place, i) => {
        add(dV, place, dO, at, weights[i]!, headDim);
        add(dQ, at, k, place, scale * dDots[i]!, headDim);
        add(dK, place, q, at, scale * dDots[i]!, headDim);
      });
    }
    return { dQ, dK, dV };
  };
  return { o, back };
}

/** exp(z) / sum of exp(z). */
export function softmax(z: Float64Array): Float64Array {
  const most = z.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = z.map((value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

function dot(a: Float64Array, atA: number, b: Float64Array, atB: number, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += a[atA + i]! * b[atB + i]!;
  return sum;
}

/** Adds `factor` times elements of b to those of a. */
function add(
  a: Float64Array,
  atA: number,
  b: Float64Array,
  atB: number,
  factor: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) a[atA + i]! += factor * b[atB + i]!;
}
