// methods.test.ts: the merging methods on moments of random heads: what they promise, and the errors the report gives.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gram, rowProducts } from '../../src/checkpoint/heads/linear/dense.ts';
import type { Positions } from '../../src/models/families/family.ts';
import { alignedTransforms, keyRotations } from '../../src/checkpoint/heads/methods/aligned.ts';
import { similarGroups } from '../../src/checkpoint/heads/methods/grouping.ts';
import { keyBasis, type KeyBasis, type QkNorm } from '../../src/checkpoint/heads/methods/keyBasis.ts';
import { momentsOf, relativeErrors, type Moments } from '../../src/checkpoint/heads/methods/moments.ts';
import { pcaTransforms } from '../../src/checkpoint/heads/methods/pca.ts';
import {
  firstTransforms,
  meanTransforms,
  type HeadTransform,
} from '../../src/checkpoint/heads/methods/transform.ts';
import { seededNormals } from '../../src/numbers/seeded.ts';

const [G, D, N] = [3, 6, 40];

/** Samples of G heads, [G D, N], and their moments. */
function randomHeads(seed: number): { k: Float32Array; v: Float32Array; moments: Moments } {
  const samples = (salt: number, rows: number) =>
    Float32Array.from(seededNormals(seed * 10 + salt, rows * N));
  const [k, v] = [samples(1, G * D), samples(2, G * D)];
  const grams = (salt: number) => Array.from({ length: G }, (_, s) => gram(samples(salt + s, D), N));
  const heads = [0, 1, 2];
  return { k, v, moments: { headDim: D, heads, k: gram(k, N), v: gram(v, N), q: grams(3), o: grams(6) } };
}

const ROPE = keyBasis(D, { pairing: 'half', rotaryDims: 4 }, 'none');
const METHODS: readonly (readonly [string, (moments: Moments, basis: KeyBasis) => HeadTransform[]])[] = [
  ['mean', () => meanTransforms(G, D)],
  ['first', () => firstTransforms(G, D)],
  ['aligned', (moments, basis) => alignedTransforms(moments, basis, { renorm: true })],
  ['aligned without renorm', (moments, basis) => alignedTransforms(moments, basis, { renorm: false })],
  ['pca', pcaTransforms],
];

/** matrix [D, D] . rows [D, N] */
function apply(matrix: Float64Array, rows: Float64Array | Float32Array): Float64Array {
  return Float64Array.from({ length: D * N }, (_, at) => {
    let sum = 0;
    for (let j = 0; j < D; j++) sum += matrix[Math.floor(at / N) * D + j]! * rows[j * N + (at % N)]!;
    return sum;
  });
}

describe('the errors of the report', () => {
  test.each(METHODS)('%s: are those of the samples themselves', (_, method) => {
    const { k, v, moments } = randomHeads(1);
    const transforms = method(moments, ROPE);
    for (const [of, samples] of [
      ['k', k],
      ['v', v],
    ] as const) {
      const head = (s: number) => samples.subarray(s * D * N, (s + 1) * D * N);
      const shared = new Float64Array(D * N);
      transforms.forEach((t, s) =>
        apply(of === 'k' ? t.kIn : t.vIn, head(s)).forEach((x, i) => (shared[i]! += x)),
      );
      const found = relativeErrors(moments, of, transforms);
      transforms.forEach((t, s) => {
        const out = of === 'k' ? t.qOut.map((_x, i) => t.qOut[(i % D) * D + Math.floor(i / D)]!) : t.vOut;
        const back = apply(out, shared);
        let [lost, whole] = [0, 0];
        head(s).forEach((x, i) => {
          lost += (x - back[i]!) ** 2;
          whole += x * x;
        });
        expect(found[s]).toBeCloseTo(Math.sqrt(lost / whole), 5);
      });
    }
  });
});

const rms = (errors: readonly number[]) =>
  Math.sqrt(errors.reduce((sum, x) => sum + x * x, 0) / errors.length);

describe('what methods promise', () => {
  const seeds = fc.integer({ min: 1, max: 10_000 });

  test('aligned values are nearer to the heads than the plain mean', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { moments } = randomHeads(seed);
        const error = (t: HeadTransform[]) => rms(relativeErrors(moments, 'v', t));
        const aligned = alignedTransforms(moments, ROPE, { renorm: false });
        expect(error(aligned)).toBeLessThan(error(meanTransforms(G, D)));
      }),
      { numRuns: 30 },
    );
  });

  /** What the outputs lose of the values: sum over heads of E|W_O (v - v')|^2, W_O^T W_O = o. */
  const outputLoss = (
    { moments, v }: ReturnType<typeof randomHeads>,
    transforms: readonly HeadTransform[],
  ) => {
    const head = (s: number) => v.subarray(s * D * N, (s + 1) * D * N);
    const shared = new Float64Array(D * N);
    transforms.forEach((t, s) => apply(t.vIn, head(s)).forEach((x, i) => (shared[i]! += x)));
    return transforms.reduce((sum, t, s) => {
      const lost = apply(t.vOut, shared).map((x, i) => x - head(s)[i]!);
      const moment = rowProducts(Float32Array.from(lost), Float32Array.from(lost), N);
      return sum + moment.reduce((a, x, i) => a + x * moments.o[s]![i]!, 0);
    }, 0);
  };

  test('no method loses less of the outputs by its values than pca', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const heads = randomHeads(seed);
        const [least, ...others] = [pcaTransforms, ...METHODS.slice(0, 4).map(([, method]) => method)].map(
          (method) => outputLoss(heads, method(heads.moments, ROPE)),
        );
        for (const other of others) expect(least).toBeLessThan(other);
      }),
      { numRuns: 30 },
    );
  });

  test('rotations are orthogonal, keep to their planes, and leave the first head as it is', () => {
    const { moments } = randomHeads(5);
    for (const { qOut } of alignedTransforms(moments, ROPE, { renorm: true })) {
      const [rows] = [Float32Array.from(qOut)];
      gram(rows, D).forEach((x, i) => expect(x).toBeCloseTo(i % (D + 1) === 0 ? 1 : 0, 6));
      // Planes (0, 2) and (1, 3), and the rest 4, 5.
      for (const [i, j] of [
        [0, 1],
        [0, 3],
        [1, 2],
        [2, 3],
        [0, 4],
        [3, 5],
      ]) {
        expect(Math.abs(qOut[i! * D + j!]!) + Math.abs(qOut[j! * D + i!]!)).toBe(0);
      }
      // The determinant of a plane is +1: a rotation, no reflection.
      expect(qOut[0]! * qOut[2 * D + 2]! - qOut[2]! * qOut[2 * D]!).toBeCloseTo(1, 9);
    }
    const [first] = alignedTransforms(moments, ROPE, { renorm: true });
    expect(first!.qOut[0]).toBeCloseTo(1, 9);
    expect(first!.qOut[2]).toBeCloseTo(0, 9);
  });

  test('renorm makes the shared head as large as its members are on average', () => {
    const { k, v, moments } = randomHeads(6);
    const transforms = alignedTransforms(moments, ROPE, { renorm: true });
    for (const [of, samples] of [
      ['kIn', k],
      ['vIn', v],
    ] as const) {
      const size = (x: ArrayLike<number>) => Math.sqrt(Array.from(x).reduce((sum, y) => sum + y * y, 0));
      const head = (s: number) => samples.subarray(s * D * N, (s + 1) * D * N);
      const shared = new Float64Array(D * N);
      transforms.forEach((t, s) => apply(t[of], head(s)).forEach((x, i) => (shared[i]! += x)));
      expect(size(shared)).toBeCloseTo((size(head(0)) + size(head(1)) + size(head(2))) / 3, 3);
    }
  });

  test('a head that nobody reads and a head of zeros are no trouble', () => {
    const { moments } = randomHeads(7);
    const none = new Float64Array(D * D);
    const dead = { ...moments, q: [moments.q[0]!, none, none], o: [none, none, none] };
    const empty = { ...moments, k: moments.k.map(() => 0), v: moments.v.map(() => 0) };
    for (const [, method] of METHODS) {
      for (const given of [dead, empty]) {
        const transforms = method(given, ROPE);
        const all = transforms.flatMap(({ kIn, qOut, vIn, vOut }) =>
          [kIn, qOut, vIn, vOut].flatMap((m) => [...m]),
        );
        expect(all.every((x) => Number.isFinite(x))).toBe(true);
      }
    }
  });
});

describe('the freedom of keys', () => {
  test('pairs by halves or neighbours; the rest is free; a norm with weights leaves signs', () => {
    const pairs = (basis: KeyBasis) => basis.planes.map(({ i, j, turn }) => `${i}${j}${turn[0]}`).join(' ');
    expect(pairs(ROPE)).toBe('02a 13a');
    expect(ROPE).toMatchObject({ free: [4, 5], fixed: [], scalable: true });
    expect(pairs(keyBasis(4, { pairing: 'interleaved', rotaryDims: 4 }, 'plain'))).toBe('01a 23a');
    expect(keyBasis(4, { pairing: 'none', rotaryDims: 0 }, 'none').free).toEqual([0, 1, 2, 3]);
    const norm = { q: [1, 1, 1, 1, 1, 2], k: [1, 3, 1, 4, 1, 1] };
    const weighted = keyBasis(6, { pairing: 'half', rotaryDims: 4 }, norm);
    expect(pairs(weighted)).toBe('02a 13s');
    expect(weighted).toMatchObject({ free: [], fixed: [4, 5], scalable: false });
  });

  test('keys under a norm are never scaled', () => {
    const { moments } = randomHeads(8);
    const basis = keyBasis(D, { pairing: 'half', rotaryDims: D }, 'plain');
    for (const method of [pcaTransforms, METHODS[2]![1]]) {
      for (const { qOut } of method(moments, basis)) {
        gram(Float32Array.from(qOut), D).forEach((x, i) =>
          expect(x).toBeCloseTo(i % (D + 1) === 0 ? 1 : 0, 6),
        );
      }
    }
  });
});

describe('a rotation alone', () => {
  const POSITIONS: readonly Positions[] = [
    { pairing: 'half', rotaryDims: 6 },
    { pairing: 'interleaved', rotaryDims: 6 },
    { pairing: 'half', rotaryDims: 4 },
    { pairing: 'interleaved', rotaryDims: 2 },
    { pairing: 'none', rotaryDims: 0 },
  ];
  const NORMS: readonly (readonly [string, QkNorm])[] = [
    ['no norm', 'none'],
    ['a norm without weights', 'plain'],
    ['a norm of one weight', { q: [2, 2, 2, 2, 2, 2], k: [3, 3, 3, 3, 3, 3] }],
    // Of the planes (0, 3), (1, 4), (2, 5), or (0, 1), (2, 3), (4, 5), some have equal weights in both and some not.
    ['a norm of unlike weights', { q: [1, 2, 3, 1, 5, 3], k: [4, 5, 6, 4, 6, 6] }],
  ];
  const CASES = POSITIONS.flatMap((positions) =>
    NORMS.map(
      ([what, norm]) => [`${positions.pairing} ${positions.rotaryDims}, ${what}`, positions, norm] as const,
    ),
  );

  /** x as it meets the other side: normalised, then rotated by position t. Complex powers, plane by plane. */
  function met(
    x: readonly number[],
    t: number,
    positions: Positions,
    weights?: ArrayLike<number> | 'plain',
  ): number[] {
    const size = weights === undefined ? 1 : Math.sqrt(x.reduce((sum, y) => sum + y * y, 0) / D + 1e-6);
    const out = x.map((y, r) => (y / size) * (typeof weights === 'object' ? weights[r]! : 1));
    const { pairing, rotaryDims: n } = positions;
    for (let p = 0; p < n / 2; p++) {
      const [i, j] = pairing === 'half' ? [p, p + n / 2] : [2 * p, 2 * p + 1];
      const angle = t / 10 ** p;
      const [a, b] = [out[i]!, out[j]!];
      out[i] = a * Math.cos(angle) - b * Math.sin(angle);
      out[j] = b * Math.cos(angle) + a * Math.sin(angle);
    }
    return out;
  }

  const random = (seed: number, n: number) => Array.from(seededNormals(seed, n));
  const applied = (matrix: Float64Array, x: readonly number[]) =>
    x.map((_, r) => x.reduce((sum, y, c) => sum + matrix[r * D + c]! * y, 0));
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

  test.each(CASES)('leaves every score as it was: %s', (_, positions, norm) => {
    const { moments } = randomHeads(11);
    const basis = keyBasis(D, positions, norm);
    const turns = keyRotations(moments, basis);
    let turned = 0;
    turns.forEach((turn, s) => {
      const weights = (of: 'q' | 'k') => (norm === 'none' ? undefined : norm === 'plain' ? norm : norm[of]);
      const [q, k] = [random(20 + s, D), random(30 + s, D)];
      for (const [m, n] of [
        [0, 0],
        [9, 2],
        [100, 37],
      ] as const) {
        const before = dot(met(q, m, positions, weights('q')), met(k, n, positions, weights('k')));
        const after = dot(
          met(applied(turn, q), m, positions, weights('q')),
          met(applied(turn, k), n, positions, weights('k')),
        );
        expect(after).toBeCloseTo(before, 10);
      }
      turned = Math.max(turned, ...applied(turn, k).map((x, r) => Math.abs(x - k[r]!)));
    });
    // It did turn something, unless at most signs may change.
    if (basis.free.length > 0 || basis.planes.some(({ turn }) => turn === 'any'))
      expect(turned).toBeGreaterThan(0.1);
  });

  test('leaves what each value adds to the output as it was', () => {
    const { moments } = randomHeads(12);
    const wo = random(40, D);
    for (const { vIn, vOut } of alignedTransforms(moments, ROPE, { renorm: false })) {
      const v = random(41, D);
      // The mean divides by the number of heads; without it the value comes back.
      expect(dot(wo, applied(vOut, applied(vIn, v))) * G).toBeCloseTo(dot(wo, v), 10);
    }
  });
});

describe('grouping', () => {
  test('finds the groups there are, in any order', () => {
    const alike = [
      [0, 5, 3],
      [1, 4, 2],
    ];
    const similarity = new Float64Array(36);
    for (const group of alike) for (const a of group) for (const b of group) similarity[a * 6 + b] = 0.9;
    expect(similarGroups(similarity, 2)).toEqual([
      [0, 3, 5],
      [1, 2, 4],
    ]);
    expect(similarGroups(similarity, 6)).toEqual([[0], [1], [2], [3], [4], [5]]);
    expect(similarGroups(similarity, 1)).toEqual([[0, 1, 2, 3, 4, 5]]);
  });

  test('groups are of equal size and hold every head once, and no exchange of two heads helps', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), (seed) => {
        const values = seededNormals(seed, 64);
        const similarity = values.map((_, at) => values[at]! + values[(at % 8) * 8 + Math.floor(at / 8)]!);
        const inside = (groups: readonly (readonly number[])[]) =>
          groups.reduce(
            (sum, g) =>
              sum +
              g.reduce((a, x) => a + g.reduce((b, y) => b + (x === y ? 0 : similarity[x * 8 + y]!), 0), 0),
            0,
          );
        const found = similarGroups(similarity, 4);
        expect(found.flat().toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
        expect(found.every(({ length }) => length === 2)).toBe(true);
        for (let a = 0; a < 8; a++) {
          for (let b = 0; b < 8; b++) {
            const swapped = found.map((g) => g.map((x) => (x === a ? b : x === b ? a : x)));
            expect(inside(swapped)).toBeLessThanOrEqual(inside(found) + 1e-9);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  test('moments of some of the heads', () => {
    const { moments } = randomHeads(9);
    const two = momentsOf(moments, [2, 0]);
    expect(two.k[0]).toBe(moments.k[2 * D * G * D + 2 * D]);
    expect(two.k[D]).toBe(moments.k[2 * D * G * D]);
    expect(two.q).toEqual([moments.q[2], moments.q[0]]);
    expect(momentsOf(moments, [0, 1, 2]).v).toBe(moments.v);
  });
});
