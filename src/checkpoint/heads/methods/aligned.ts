// aligned.ts: rotates the heads of a group onto each other, as far as attention allows without any change, then averages.
import { nearestOrthogonal } from '../linear/decompose.ts';
import { addTo, identity, inner, multiply, scaled, trace, transpose } from '../linear/dense.ts';
import type { KeyBasis, Plane } from './keyBasis.ts';
import { pairBlock, type Moments } from './moments.ts';
import { planeMoments, planePhases } from './planes.ts';
import type { HeadTransform } from './transform.ts';

export interface AlignOptions {
  /** Rescale each shared head to the mean size of the heads it is made from; averages of unlike heads are small. */
  readonly renorm: boolean;
}

/**
 * Rotations before the mean: generalised Procrustes for values (absorbed by the output projection); for keys an angle
 * in each rotary plane and an orthogonal matrix on what carries no position (absorbed by the queries).
 */
export function alignedTransforms(
  moments: Moments,
  basis: KeyBasis,
  { renorm }: AlignOptions,
): HeadTransform[] {
  const d = moments.headDim;
  const keys = keyRotations(moments, basis);
  const values = procrustes(moments, moments.v, allOf(d));
  const kScale = renorm && basis.scalable ? meanScale(moments, moments.k, keys) : 1 / keys.length;
  const vScale = renorm ? meanScale(moments, moments.v, values) : 1 / values.length;
  return keys.map((key, s) => ({
    kIn: scaled(key, kScale),
    qOut: key,
    vIn: scaled(values[s]!, vScale),
    vOut: transpose(values[s]!, d),
  }));
}

function allOf(d: number): number[] {
  return Array.from({ length: d }, (_, i) => i);
}

/** For each head the rotation [D, D] of its keys and queries. */
export function keyRotations(moments: Moments, basis: KeyBasis): Float64Array[] {
  const d = moments.headDim;
  const rotations =
    basis.free.length > 0
      ? procrustes(moments, moments.k, basis.free)
      : moments.heads.map(() => new Float64Array(d * d));
  for (const plane of basis.planes) {
    const phases = planePhases(planeMoments(moments, plane), plane.turn);
    rotations.forEach((rotation, s) => setPlane(rotation, d, plane, phases[s]!));
  }
  for (const i of basis.fixed) for (const rotation of rotations) rotation[i * d + i] = 1;
  return rotations;
}

/** Writes multiplication by the complex number (re, im) into a plane of a matrix [D, D]. */
export function setPlane(
  matrix: Float64Array,
  d: number,
  { i, j }: Plane,
  { re, im }: { readonly re: number; readonly im: number },
): void {
  matrix[i * d + i] = re;
  matrix[i * d + j] = -im;
  matrix[j * d + i] = im;
  matrix[j * d + j] = re;
}

const MAX_SWEEPS = 100;
const SETTLED = 1e-9;

/**
 * Orthogonal matrices [D, D] on the elements `indices` (0 elsewhere) that make the heads' sum as large as they can:
 * starting from all turned onto the first, each in turn is fitted to the sum of the others.
 */
function procrustes(moments: Moments, a: Float64Array, indices: readonly number[]): Float64Array[] {
  const g = moments.heads.length;
  const f = indices.length;
  const pair = (s: number, t: number) => subBlock(pairBlock(a, moments, s, t), moments.headDim, indices);
  const turns = moments.heads.map((_, s) => (s === 0 ? identity(f) : nearestOrthogonal(pair(0, s), f)));
  let reached = -Infinity;
  const sweeps = g > 1 ? MAX_SWEEPS : 0;
  for (let sweep = 0; sweep < sweeps; sweep++) {
    let total = 0;
    for (let s = 0; s < g; s++) {
      const others = new Float64Array(f * f);
      turns.forEach((turn, t) => {
        if (t !== s) addTo(others, multiply(turn, pair(t, s), f));
      });
      const turn = nearestOrthogonal(others, f);
      turns[s] = turn;
      total += inner(others, turn);
    }
    if (total - reached <= SETTLED * Math.abs(total)) break;
    reached = total;
  }
  return turns.map((turn) => embed(turn, moments.headDim, indices));
}

/** Rows and columns `indices` of a matrix [D, D]. */
export function subBlock(a: Float64Array, d: number, indices: readonly number[]): Float64Array {
  if (indices.length === d) return a;
  return Float64Array.from(indices.flatMap((i) => indices.map((j) => a[i * d + j]!)));
}

/** The matrix [D, D] that has `a` at rows and columns `indices` and 0 elsewhere. */
export function embed(a: Float64Array, d: number, indices: readonly number[]): Float64Array {
  const out = new Float64Array(d * d);
  const f = indices.length;
  indices.forEach((i, r) => indices.forEach((j, c) => (out[i * d + j] = a[r * f + c]!)));
  return out;
}

/** The factor c with |c sum_s T_s x_s| = mean |x_s|, sizes being root mean squares; 1 / g where all is 0. */
function meanScale(moments: Moments, a: Float64Array, turns: readonly Float64Array[]): number {
  const { headDim: d } = moments;
  const g = turns.length;
  let summed = 0;
  let sizes = 0;
  turns.forEach((turn, s) => {
    sizes += Math.sqrt(trace(pairBlock(a, moments, s, s), d));
    const row = new Float64Array(d * d);
    turns.forEach((other, t) => addTo(row, multiply(other, pairBlock(a, moments, t, s), d)));
    summed += inner(turn, row);
  });
  return summed > 0 && sizes > 0 ? sizes / g / Math.sqrt(summed) : 1 / g;
}
