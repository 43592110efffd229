// pca.ts: the shared head that loses least of what the group's scores and outputs depend on: weighted principal components.
import {
  choleskyPair,
  leadingEigenvectors,
  leadingHermitian,
  nearestOrthogonal,
} from '../linear/decompose.ts';
import { addTo, identity, inner, multiply, scaled, trace, transpose } from '../linear/dense.ts';
import { alignedTransforms, embed, setPlane, subBlock } from './aligned.ts';
import type { KeyBasis, Plane } from './keyBasis.ts';
import { pairBlock, type Moments } from './moments.ts';
import { planeMoments } from './planes.ts';
import type { HeadTransform } from './transform.ts';

/**
 * Values: of the group's values, each weighted by what its heads' output projections see of it, the shared value holds
 * the D leading components. Keys: the same with the queries as weights, on the elements without position; in a rotary
 * plane, where only complex numbers commute with the rotation, the leading component of the g keys as complex numbers.
 * Keys that are normalised cannot be scaled plane by plane: they are aligned instead.
 */
export function pcaTransforms(moments: Moments, basis: KeyBasis): HeadTransform[] {
  const d = moments.headDim;
  const values = components(moments, moments.v, moments.o, all(d));
  const keys = basis.scalable
    ? keyComponents(moments, basis)
    : alignedTransforms(moments, basis, { renorm: false }).map(({ kIn, qOut }) => ({
        into: kIn,
        out: transpose(qOut, d),
      }));
  return keys.map((key, s) => ({
    kIn: key.into,
    qOut: transpose(key.out, d),
    vIn: values[s]!.into,
    vOut: values[s]!.out,
  }));
}

function all(d: number): number[] {
  return Array.from({ length: d }, (_, i) => i);
}

/** Of one head: shared = sum of into . x over the heads, and the head back from it: x' = out . shared. */
interface Component {
  readonly into: Float64Array;
  readonly out: Float64Array;
}

/**
 * Components of the elements `indices` (matrices are 0 elsewhere). With w = L L^T and y_s = L_s^T x_s, the leading
 * eigenvectors U of E[y y^T] give the shared U^T y and x'_s = L_s^-T U_s (U^T y), the least error in the metric w.
 */
function components(
  moments: Moments,
  a: Float64Array,
  weights: readonly Float64Array[],
  indices: readonly number[],
): Component[] {
  const f = indices.length;
  const d = moments.headDim;
  const factors = factorsOf(
    weights.map((w) => subBlock(w, d, indices)),
    f,
  );
  const g = factors.length;
  const weighted = new Float64Array(g * f * (g * f));
  for (let s = 0; s < g; s++) {
    for (let t = 0; t < g; t++) {
      const pair = subBlock(pairBlock(a, moments, s, t), d, indices);
      const y = multiply(multiply(transpose(factors[s]!.factor, f), pair, f), factors[t]!.factor, f);
      for (let r = 0; r < f; r++) weighted.set(y.subarray(r * f, (r + 1) * f), (s * f + r) * g * f + t * f);
    }
  }
  const leading = leadingEigenvectors(weighted, g * f, f);
  const parts = factors.map(({ factor, inverse }, s) => {
    const u = leading.subarray(s * f * f, (s + 1) * f * f);
    return {
      into: multiply(transpose(u, f), transpose(factor, f), f),
      out: multiply(transpose(inverse, f), u, f),
    };
  });
  const pair = (s: number, t: number) => subBlock(pairBlock(a, moments, s, t), d, indices);
  return settle(parts, pair, f).map(({ into, out }) => ({
    into: embed(into, d, indices),
    out: embed(out, d, indices),
  }));
}

/** L and L^-1 of each weight. Heads that nobody sees weigh next to nothing; where all are so, all weigh the same. */
function factorsOf(
  weights: readonly Float64Array[],
  f: number,
): { factor: Float64Array; inverse: Float64Array }[] {
  const mean = weights.reduce((sum, w) => sum + trace(w, f), 0) / weights.length / f;
  const floor = scaled(identity(f), (mean > 0 ? mean : 1) * LEAST_WEIGHT);
  return weights.map((w) => {
    const sum = w.slice();
    addTo(sum, floor);
    return choleskyPair(sum, f)!;
  });
}

const LEAST_WEIGHT = 1e-8;

/**
 * Any invertible matrix on the shared head changes nothing. This one turns it as near to the heads as a rotation can,
 * so that it looks like one of them (to a quantised cache, say), and makes it as large as they are on average.
 */
function settle(
  parts: readonly Component[],
  pair: (s: number, t: number) => Float64Array,
  f: number,
): Component[] {
  const toHeads = new Float64Array(f * f);
  let [shared, own] = [0, 0];
  parts.forEach(({ into }, s) => {
    const cross = new Float64Array(f * f);
    parts.forEach((other, t) => addTo(cross, multiply(other.into, pair(t, s), f)));
    addTo(toHeads, transpose(cross, f));
    shared += inner(into, cross);
    own += trace(pair(s, s), f);
  });
  const size = shared > 0 && own > 0 ? Math.sqrt(own / parts.length / shared) : 1;
  const turn = nearestOrthogonal(toHeads, f);
  return parts.map(({ into, out }) => ({
    into: scaled(multiply(turn, into, f), size),
    out: scaled(multiply(out, transpose(turn, f), f), 1 / size),
  }));
}

/** Keys: planes one by one, and the elements without position together. */
function keyComponents(moments: Moments, basis: KeyBasis): Component[] {
  const d = moments.headDim;
  const parts =
    basis.free.length > 0
      ? components(moments, moments.k, moments.q, basis.free)
      : moments.heads.map(() => ({ into: new Float64Array(d * d), out: new Float64Array(d * d) }));
  for (const plane of basis.planes) setPlaneComponent(moments, plane, parts);
  return parts;
}

/** The leading component of the heads' keys in a plane, each weighted by the size of its queries there. */
function setPlaneComponent(moments: Moments, plane: Plane, parts: readonly Component[]): void {
  const { headDim: d, q } = moments;
  const g = parts.length;
  const { re, im } = planeMoments(moments, plane);
  const sizes = q.map((w) => Math.sqrt(w[plane.i * d + plane.i]! + w[plane.j * d + plane.j]!));
  const largest = Math.max(...sizes);
  const weights = sizes.map((w) => (largest > 0 ? Math.max(w, largest * LEAST_WEIGHT) : 1));
  const weight = (a: Float64Array) => a.map((x, at) => x * weights[Math.floor(at / g)]! * weights[at % g]!);
  const weighted = { re: weight(re), im: weight(im) };
  const u = leadingHermitian(weighted, g);
  // The first head's keys keep their angle; the shared key is as large as the heads' on average.
  const angle = Math.hypot(u.re[0]!, u.im[0]!);
  const turn = angle > 0 ? { re: u.re[0]! / angle, im: -u.im[0]! / angle } : { re: 1, im: 0 };
  const held = eigenvalueOf(weighted, u);
  const own = Array.from({ length: g }, (_, s) => re[s * g + s]!).reduce((sum, x) => sum + x, 0);
  const size = held > 0 && own > 0 ? Math.sqrt(own / g / held) : 1;
  parts.forEach(({ into, out }, s) => {
    const x = {
      re: u.re[s]! * turn.re - u.im[s]! * turn.im,
      im: u.re[s]! * turn.im + u.im[s]! * turn.re,
    };
    const w = weights[s]!;
    setPlane(into, d, plane, { re: x.re * w * size, im: -x.im * w * size });
    setPlane(out, d, plane, { re: x.re / (w * size), im: x.im / (w * size) });
  });
}

/** u^* a u for a vector of length 1. */
function eigenvalueOf(
  { re, im }: { readonly re: Float64Array; readonly im: Float64Array },
  u: { readonly re: Float64Array; readonly im: Float64Array },
): number {
  const g = u.re.length;
  let sum = 0;
  for (let s = 0; s < g; s++) {
    for (let t = 0; t < g; t++) {
      const real = u.re[s]! * u.re[t]! + u.im[s]! * u.im[t]!;
      const imaginary = u.re[s]! * u.im[t]! - u.im[s]! * u.re[t]!;
      sum += re[s * g + t]! * real - im[s * g + t]! * imaginary;
    }
  }
  return sum;
}
