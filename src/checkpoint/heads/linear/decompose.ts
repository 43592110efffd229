// decompose.ts: decompositions of symmetric and square matrices, from ml-matrix, on flat row-major arrays.
import {
  CholeskyDecomposition,
  EigenvalueDecomposition,
  Matrix,
  SingularValueDecomposition,
} from 'ml-matrix';
import { seededNormals } from '../../../numbers/seeded.ts';
import { inner, multiply } from './dense.ts';

function toMatrix(a: Float64Array, rows: number): Matrix {
  const columns = a.length / rows;
  return Matrix.from1DArray(rows, columns, a);
}

function toFlat(matrix: Matrix): Float64Array {
  return Float64Array.from(matrix.to1DArray());
}

/** The orthogonal matrix nearest to a square one: u v^T of a = u s v^T, the answer to the Procrustes problem. */
export function nearestOrthogonal(a: Float64Array, d: number): Float64Array {
  const { u, v } = decomposition(a, d);
  return toFlat(u.mmul(v.transpose()));
}

/** Sum of the singular values of a square matrix: how alike two heads are once one is rotated onto the other. */
export function nuclearNorm(a: Float64Array, d: number): number {
  return decomposition(a, d).s.reduce((sum, value) => sum + value, 0);
}

function decomposition(a: Float64Array, d: number): { u: Matrix; v: Matrix; s: number[] } {
  const svd = new SingularValueDecomposition(toMatrix(a, d));
  return { u: svd.leftSingularVectors, v: svd.rightSingularVectors, s: svd.diagonal };
}

/**
 * L of a = L L^T and L^-1, lower triangular. `a` is symmetric and not negative; a ridge far below its largest
 * elements makes it definite. Undefined for a = 0.
 */
export function choleskyPair(
  a: Float64Array,
  d: number,
): { factor: Float64Array; inverse: Float64Array } | undefined {
  let sum = 0;
  for (let i = 0; i < d; i++) sum += a[i * d + i]!;
  if (!(sum > 0)) return undefined;
  const ridged = a.slice();
  for (let i = 0; i < d; i++) ridged[i * d + i]! += (RIDGE * sum) / d;
  const cholesky = new CholeskyDecomposition(toMatrix(ridged, d));
  const factor = toFlat(cholesky.lowerTriangularMatrix);
  return { factor, inverse: invertLower(factor, d) };
}

const RIDGE = 1e-9;

function invertLower(l: Float64Array, d: number): Float64Array {
  const out = new Float64Array(d * d);
  for (let column = 0; column < d; column++) {
    for (let i = column; i < d; i++) {
      let sum = i === column ? 1 : 0;
      for (let j = column; j < i; j++) sum -= l[i * d + j]! * out[j * d + column]!;
      out[i * d + column] = sum / l[i * d + i]!;
    }
  }
  return out;
}

/** Largest matrix that is decomposed whole; past it the whole decomposition takes seconds to hours. */
const WHOLE = 512;

/**
 * The `count` leading eigenvectors of a symmetric, not negative matrix [m, m], as the columns of [m, count], largest
 * first. Of a large matrix they come from block power iteration and may differ from the exact ones where eigenvalues
 * lie close together, which hardly changes the share of the trace that they hold.
 */
export function leadingEigenvectors(a: Float64Array, m: number, count: number): Float64Array {
  return m <= WHOLE ? fromWhole(a, m, count) : fromIteration(a, m, count);
}

function fromWhole(a: Float64Array, m: number, count: number): Float64Array {
  const { vectors } = sortedEigen(a, m);
  return firstColumns(vectors, m, count);
}

/** Eigenvalues, falling, and the eigenvectors as columns [m, m]. */
function sortedEigen(a: Float64Array, m: number): { values: number[]; vectors: Float64Array } {
  const evd = new EigenvalueDecomposition(toMatrix(a, m), { assumeSymmetric: true });
  const order = evd.realEigenvalues.map((value, i) => ({ value, i })).toSorted((x, y) => y.value - x.value);
  const found = evd.eigenvectorMatrix;
  const vectors = new Float64Array(m * m);
  order.forEach(({ i }, j) => {
    for (let row = 0; row < m; row++) vectors[row * m + j] = found.get(row, i);
  });
  return { values: order.map(({ value }) => value), vectors };
}

function firstColumns(a: Float64Array, m: number, count: number): Float64Array {
  const width = a.length / m;
  const out = new Float64Array(m * count);
  for (let i = 0; i < m; i++) out.set(a.subarray(i * width, i * width + count), i * count);
  return out;
}

const SPARE = 16;
const MAX_ROUNDS = 40;
const SETTLED = 1e-5;

/** Block power iteration on a few more vectors than are wanted, until the eigenvalues it holds no longer grow. */
function fromIteration(a: Float64Array, m: number, count: number): Float64Array {
  const width = Math.min(m, count + SPARE);
  let basis = orthonormal(startOf(a, m, width), m, width);
  let held = 0;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const image = multiply(a, basis, m);
    const { values, vectors } = sortedEigen(transposeTimes(basis, image, m, width), width);
    const sum = values.slice(0, count).reduce((total, value) => total + value, 0);
    const settled = sum - held <= SETTLED * sum;
    held = sum;
    if (settled) return firstColumns(multiply(basis, vectors, width), m, count);
    basis = orthonormal(multiply(image, vectors, width), m, width);
  }
  return firstColumns(basis, m, count);
}

/** The matrix times seeded random columns: they lie in the space that is looked for, and are the same in every run. */
function startOf(a: Float64Array, m: number, width: number): Float64Array {
  return multiply(a, seededNormals(START_SEED, m * width), m);
}

const START_SEED = 1;

/** a^T . b, both [m, width]. */
function transposeTimes(a: Float64Array, b: Float64Array, m: number, width: number): Float64Array {
  const out = new Float64Array(width * width);
  for (let l = 0; l < m; l++) {
    for (let i = 0; i < width; i++) {
      const x = a[l * width + i]!;
      for (let j = 0; j < width; j++) out[i * width + j]! += x * b[l * width + j]!;
    }
  }
  return out;
}

/** Columns made orthonormal by Gram-Schmidt, twice for accuracy; a column that lies in those before becomes 0. */
function orthonormal(a: Float64Array, m: number, width: number): Float64Array {
  const vectors = Array.from({ length: width }, (_, j) =>
    Float64Array.from({ length: m }, (_unused, i) => a[i * width + j]!),
  );
  vectors.forEach((vector, j) => {
    const before = Math.sqrt(inner(vector, vector));
    for (let pass = 0; pass < 2; pass++) {
      for (const other of vectors.slice(0, j)) {
        const share = inner(vector, other);
        for (let i = 0; i < m; i++) vector[i]! -= share * other[i]!;
      }
    }
    const norm = Math.sqrt(inner(vector, vector));
    const factor = norm > 1e-10 * before ? 1 / norm : 0;
    for (let i = 0; i < m; i++) vector[i]! *= factor;
  });
  const out = new Float64Array(m * width);
  vectors.forEach((vector, j) => vector.forEach((x, i) => (out[i * width + j] = x)));
  return out;
}

/** A Hermitian matrix [m, m] of complex numbers. */
export interface Hermitian {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/**
 * The leading eigenvector of a Hermitian, not negative matrix, of length 1. The library knows real matrices only:
 * [[re, -im], [im, re]] has the same eigenvalues, each twice, and (x, y) stands for x + iy.
 */
export function leadingHermitian({ re, im }: Hermitian, m: number): { re: Float64Array; im: Float64Array } {
  const real = new Float64Array(4 * m * m);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < m; j++) {
      real[i * 2 * m + j] = re[i * m + j]!;
      real[(m + i) * 2 * m + m + j] = re[i * m + j]!;
      real[i * 2 * m + m + j] = -im[i * m + j]!;
      real[(m + i) * 2 * m + j] = im[i * m + j]!;
    }
  }
  const vector = leadingEigenvectors(real, 2 * m, 1);
  return { re: vector.slice(0, m), im: vector.slice(m) };
}
