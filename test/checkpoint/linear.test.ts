// linear.test.ts: matrix products and decompositions against their definitions.
import { describe, expect, test } from 'vitest';
import {
  choleskyPair,
  leadingEigenvectors,
  leadingHermitian,
  nearestOrthogonal,
  nuclearNorm,
} from '../../src/checkpoint/heads/linear/decompose.ts';
import {
  block,
  gram,
  identity,
  multiply,
  rowProducts,
  transpose,
} from '../../src/checkpoint/heads/linear/dense.ts';
import { seededNormals } from '../../src/numbers/seeded.ts';

const random32 = (seed: number, count: number) => Float32Array.from(seededNormals(seed, count));

function naive(a: Float32Array, b: Float32Array, n: number): number[] {
  const [m, k] = [a.length / n, b.length / n];
  return Array.from({ length: m * k }, (_, at) => {
    let sum = 0;
    for (let c = 0; c < n; c++) sum += a[Math.floor(at / k) * n + c]! * b[(at % k) * n + c]!;
    return sum;
  });
}

const near = (a: Float64Array | readonly number[], b: Float64Array | readonly number[], bound = 1e-9) => {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(Math.abs(a[i]! - b[i]!)).toBeLessThan(bound);
};

describe('products', () => {
  test.each([
    [1, 1, 1],
    [5, 3, 7],
    [4, 2, 512],
    [9, 8, 1030],
    [6, 7, 513],
  ])('rows of [%d, n] and [%d, n], n = %d', (m, k, n) => {
    const [a, b] = [random32(1, m * n), random32(2, k * n)];
    near(rowProducts(a, b, n), naive(a, b, n));
    near(gram(a, n), naive(a, a, n));
  });

  test('small square ones', () => {
    const [a, b] = [Float64Array.of(1, 2, 3, 4), Float64Array.of(5, 6, 7, 8)];
    expect(Array.from(multiply(a, b, 2))).toEqual([19, 22, 43, 50]);
    expect(Array.from(transpose(a, 2))).toEqual([1, 3, 2, 4]);
    expect(Array.from(multiply(a, identity(2), 2))).toEqual([1, 2, 3, 4]);
    const four = Float64Array.from({ length: 16 }, (_, i) => i);
    expect(Array.from(block(four, 4, 2, [1, 0]))).toEqual([8, 9, 12, 13]);
  });
});

function orthogonal(d: number, seed: number): Float64Array {
  return nearestOrthogonal(seededNormals(seed, d * d), d);
}

describe('decompositions', () => {
  test('the nearest orthogonal matrix is orthogonal, and finds the rotation between two clouds', () => {
    const d = 7;
    const q = orthogonal(d, 3);
    near(multiply(q, transpose(q, d), d), identity(d));
    const x = random32(4, d * 50);
    const moments = gram(x, 50);
    // y = q x, so E[y x^T] = q E[x x^T], whose polar factor is q.
    near(nearestOrthogonal(multiply(q, moments, d), d), q, 1e-7);
    expect(nuclearNorm(multiply(q, moments, d), d)).toBeCloseTo(nuclearNorm(moments, d), 6);
  });

  test('Cholesky: L L^T is the matrix, L^-1 its inverse; nothing for 0', () => {
    const d = 6;
    const a = gram(random32(5, d * 40), 40);
    const { factor, inverse } = choleskyPair(a, d)!;
    near(multiply(factor, transpose(factor, d), d), a, 1e-6);
    near(multiply(factor, inverse, d), identity(d));
    expect(choleskyPair(new Float64Array(4), 2)).toBeUndefined();
    // Rank 1: made definite by a ridge that nobody sees.
    const thin = choleskyPair(Float64Array.of(4, 2, 2, 1), 2)!;
    near(multiply(thin.factor, transpose(thin.factor, 2), 2), [4, 2, 2, 1], 1e-7);
  });

  test.each([24, 600])(
    'leading eigenvectors of a matrix [%d, %d]: orthonormal, and they hold the trace there is',
    (m) => {
      const rank = 9;
      // Rank 9 plus a little of everything.
      const a = gram(random32(6, m * rank), rank);
      const noise = gram(random32(7, m * 20), 20);
      const mixed = a.map((x, i) => x + 1e-6 * noise[i]!);
      const v = leadingEigenvectors(mixed, m, rank);
      const dot = (i: number, j: number) => {
        let sum = 0;
        for (let r = 0; r < m; r++) sum += v[r * rank + i]! * v[r * rank + j]!;
        return sum;
      };
      for (let i = 0; i < rank; i++)
        for (let j = 0; j <= i; j++) expect(dot(i, j)).toBeCloseTo(i === j ? 1 : 0, 8);
      let held = 0;
      let trace = 0;
      for (let r = 0; r < m; r++) {
        trace += mixed[r * m + r]!;
        for (let c = 0; c < m; c++)
          for (let j = 0; j < rank; j++) held += v[r * rank + j]! * mixed[r * m + c]! * v[c * rank + j]!;
      }
      expect(held / trace).toBeGreaterThan(0.9999);
    },
  );

  test('leading eigenvector of a Hermitian matrix', () => {
    // z = (1, 2i, -3): z z^* has z / |z| as its only eigenvector.
    const z = [
      [1, 0],
      [0, 2],
      [-3, 0],
    ] as const;
    const re = Float64Array.from({ length: 9 }, (_, at) => {
      const [a, b] = [z[Math.floor(at / 3)]!, z[at % 3]!];
      return a[0] * b[0] + a[1] * b[1];
    });
    const im = Float64Array.from({ length: 9 }, (_, at) => {
      const [a, b] = [z[Math.floor(at / 3)]!, z[at % 3]!];
      return a[1] * b[0] - a[0] * b[1];
    });
    const u = leadingHermitian({ re, im }, 3);
    // |<u, z>| = |z|
    let [real, imaginary] = [0, 0];
    for (let s = 0; s < 3; s++) {
      real += u.re[s]! * z[s]![0] + u.im[s]! * z[s]![1];
      imaginary += u.re[s]! * z[s]![1] - u.im[s]! * z[s]![0];
    }
    expect(Math.hypot(real, imaginary)).toBeCloseTo(Math.sqrt(14), 9);
  });
});

test('seeded normals are standard normal and the same again', () => {
  const values = seededNormals(9, 20_000);
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((a, b) => a + b * b, 0) / values.length;
  expect(mean).toBeCloseTo(0, 1);
  expect(variance).toBeCloseTo(1, 1);
  expect(seededNormals(9, 6)).toEqual(values.slice(0, 6));
});
