// rope.test.ts: rows of K and q that are normalised and turned on the way into a cache, against float64.
import { describe, expect, test } from 'vitest';
import {
  createKvCache,
  createRope,
  KV_TYPES,
  NotFiniteError,
  readBack,
  ropeFrequencies,
  uploadStorage,
} from '../../src/index.ts';
import { ROPE_STYLES } from '../../src/numbers/rope.ts';
import { normals, uniform } from '../../src/numbers/random.ts';
import { turned } from '../reference/rope.ts';
import { testDevice } from '../support/device.ts';
import { check, expectRow, type Turned } from '../support/turnedRows.ts';

const device = await testDevice();
const RAGGED = { kvLens: [0, 7, 4], numTokens: 4, counts: [4, 0, 3] };
const YARN = { type: 'yarn', factor: 4, originalContext: 64 } as const;

describe('an append turns rows of K and q by their positions', () => {
  test.each<[string, Omit<Turned, 'kvLens'>]>([
    ['interleaved', { headDim: 64, rope: { style: 'interleaved', base: 500 } }],
    ['half of a part, which is no multiple of 8', { headDim: 80, rope: { rotaryDim: 20 } }],
    ['interleaved of a part', { headDim: 8, rope: { rotaryDim: 6, style: 'interleaved' } }],
    ['half of a part of a long row', { headDim: 256, rope: { rotaryDim: 64, base: 1e6 } }],
    ['of a row shorter than V', { headDim: 8, vHeadDim: 64, rope: {} }],
    ['of a row longer than V', { headDim: 128, vHeadDim: 24, rope: {} }],
    ['after a norm, with an attention factor', { headDim: 64, norm: 1e-6, rope: { scaling: YARN } }],
  ])('%s', (_, given) => check(device, { ...RAGGED, ...given }));

  test.each(KV_TYPES.map((kType, i) => [kType, KV_TYPES[(i + 1) % KV_TYPES.length]!] as const))(
    'K %s, V %s',
    (kType, vType) => check(device, { ...RAGGED, headDim: 64, rope: {}, kType, vType }),
  );

  test.each([1, 2, 3])('whatever the shape: seed %i', (seed) => {
    const next = uniform(seed);
    const whole = (from: number, to: number) => from + Math.floor(next() * (to - from + 1));
    const [headDim, numKvHeads, numTokens, capacity] = [
      8 * whole(1, 16),
      whole(1, 3),
      whole(1, 6),
      whole(12, 40),
    ];
    const kvLens = Array.from({ length: whole(1, 4) }, () => whole(0, capacity - numTokens));
    return check(device, {
      headDim,
      vHeadDim: 8 * whole(1, 16),
      numKvHeads,
      numQHeads: numKvHeads * whole(1, 4),
      kvLens,
      numTokens,
      counts: kvLens.map(() => whole(0, numTokens)),
      capacity,
      rope: {
        rotaryDim: 2 * whole(1, headDim / 2),
        style: ROPE_STYLES[whole(0, 1)]!,
        base: 10 ** whole(1, 6),
      },
      ...(whole(0, 1) === 1 && { norm: 1e-6 }),
    });
  });

  test('one token to each of many sequences and heads', () =>
    check(device, { kvLens: [0, 1, 2, 3, 11], numKvHeads: 3, numQHeads: 9, headDim: 64, rope: {} }));
});

describe('an append normalises rows', () => {
  test.each([
    ['of usual size', 1],
    ['whose squares leave f32', 1e30],
    ['that are nothing to eps', 1e-12],
  ])('%s', (_, size) => {
    const values = (count: number) =>
      normals(count, count).map((x, i) => x * size * 1.5 ** (Math.floor(i / 64) % 5));
    return check(device, { ...RAGGED, headDim: 64, norm: 1e-5, values });
  });

  test('between the sizes that are squared as they are, and by parts', () => {
    const values = (count: number) =>
      normals(count, count).map((x, i) => x * 2 ** (46 + (Math.floor(i / 64) % 8)));
    return check(device, { ...RAGGED, headDim: 64, norm: 1e-5, values });
  });
});

describe('NaN and infinity', () => {
  const KEPT = { layer: 0, numKvHeads: 1, headDim: 64, capacity: 4 };

  /** Elements of the first row of K and of q that are NaN after an append of `value` at element 3 of the only row. */
  async function spoiled(value: number, turns: 'rope' | 'norm') {
    using cache = await createKvCache(device, { numKvHeads: 1, headDim: 64, capacity: KEPT.capacity });
    using rope = await createRope(device, { headDim: 64, positions: 4 });
    const row = normals(3, 64);
    row[3] = value;
    const [k, v, q] = ['k', 'v', 'q'].map((name) => uploadStorage(device, name, row));
    const ones = new Float32Array(64).fill(1);
    const how = turns === 'rope' ? { rope } : { qkNorm: { k: ones, q: ones } };
    await cache.append({ k: k!, v: v!, q: q!, numQHeads: 1, ...how });
    await expect(device.idle()).rejects.toThrow(NotFiniteError);
    const nans = async (buffer: Parameters<typeof readBack>[1]) =>
      Array.from(new Float32Array(await readBack(device, buffer)).subarray(0, 64)).flatMap((x, d) =>
        Number.isNaN(x) ? [d] : [],
      );
    const { k: counted } = await cache.report();
    return { k: await nans(cache.layers[0]!.k), q: await nans(q!), counted: counted.notFinite };
  }

  test.each([NaN, Infinity, -Infinity])('%f spoils its pair where rows are turned', async (value) => {
    expect(await spoiled(value, 'rope')).toEqual({ k: [3, 35], q: [3, 35], counted: 2 });
  });

  test.each([NaN, -Infinity])('%f spoils its row where rows are normalised', async (value) => {
    const all = Array.from({ length: 64 }, (_, d) => d);
    expect(await spoiled(value, 'norm')).toEqual({ k: all, q: all, counted: 64 });
  });
});

describe('far positions', () => {
  const [CAPACITY, D, N] = [2 ** 20 + 3, 8, 3];

  test('rows are turned by them, and scores depend on distances alone', async () => {
    using cache = await createKvCache(device, {
      numKvHeads: 1,
      headDim: D,
      capacity: CAPACITY,
      kType: 'f32',
      vType: 'int4',
    });
    using rope = await createRope(device, { headDim: D, base: 500000, positions: CAPACITY });
    const { frequencies } = ropeFrequencies({ headDim: D, base: 500000 });
    const [kRows, qRows] = [normals(1, N * D), normals(2, N * D)];
    const k = uploadStorage(device, 'k', kRows);
    const v = uploadStorage(device, 'v', kRows);
    const empty = {
      k: new Uint8Array(cache.layout.k.heads * CAPACITY * D * 4),
      v: new Uint8Array(cache.layers[0]!.v.size),
    };
    const scores: number[][] = [];
    for (const kvLen of [0, 510, 131_071, 1_000_000, 2 ** 20]) {
      cache.load({ ...empty, kvLens: [kvLen] });
      const q = uploadStorage(device, 'q', qRows);
      await cache.append({ k, v, q, numQHeads: 1, numTokens: N, rope });
      const { buffer, offset } = cache.layers[0]!.k;
      const stored = { buffer, offset: offset + kvLen * D * 4, size: N * D * 4 };
      const rows = async (from: Parameters<typeof readBack>[1]) => {
        const all = Array.from(new Float32Array(await readBack(device, from)));
        return Array.from({ length: N }, (_, n) => all.slice(n * D, n * D + D));
      };
      const [kAfter, qAfter] = [await rows(stored), await rows(q)];
      for (const [after, before] of [
        [kAfter, kRows],
        [qAfter, qRows],
      ] as const) {
        after.forEach((row, n) => {
          const wanted = turned(
            Array.from(before.slice(n * D, n * D + D)),
            'half',
            frequencies,
            1,
            kvLen + n,
          );
          expectRow(row, wanted, 1e-6);
        });
      }
      scores.push(qAfter.flatMap((a) => kAfter.map((b) => a.reduce((sum, x, d) => sum + x * b[d]!, 0))));
    }
    for (const here of scores)
      here.forEach((score, i) => expect(Math.abs(score - scores[0]![i]!)).toBeLessThan(1e-5));
  });
});

test('layers that are bound together share a rope, have norms of their own, and are recorded again and again', async () => {
  using cache = await createKvCache(device, { numKvHeads: 1, headDim: 64, capacity: 4, layers: 2 });
  using rope = await createRope(device, { headDim: 64, positions: 4 });
  const row = normals(3, 64);
  const k = uploadStorage(device, 'k', row);
  const scales = [1, 3];
  const bound = await cache.bindAppends(
    scales.map((scale) => ({ k, v: k, rope, qkNorm: { k: new Float32Array(64).fill(scale) } })),
  );
  const encoder = device.gpu.createCommandEncoder();
  for (let token = 0; token < 2; token++) for (const append of bound) append.record(encoder);
  device.gpu.queue.submit([encoder.finish()]);
  const root = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / 64 + 1e-6);
  const { frequencies } = ropeFrequencies({ headDim: 64 });
  for (const [layer, scale] of scales.entries()) {
    const stored = new Float32Array(await readBack(device, cache.layers[layer]!.k));
    for (const position of [0, 1]) {
      const even = Array.from(row, (x) => (x / root) * scale);
      turned(even, 'half', frequencies, 1, position).forEach((x, d) =>
        expect(Math.abs(stored[position * 64 + d]! - x)).toBeLessThan(1e-5),
      );
    }
  }
});

test('pages hold the same rows, at the same positions', async () => {
  using rope = await createRope(device, { headDim: 64, positions: 20 });
  const rows = normals(3, 2 * 2 * 9 * 64);
  const k = uploadStorage(device, 'k', rows);
  const snapshots: unknown[] = [];
  for (const pageSize of [undefined, 8]) {
    const paged = pageSize === undefined ? {} : { pageSize };
    using cache = await createKvCache(device, {
      batch: 2,
      numKvHeads: 2,
      headDim: 64,
      capacity: 20,
      ...paged,
    });
    for (const numTokens of [
      [9, 2],
      [8, 9],
    ])
      await cache.append({ k, v: k, rope, numTokens: 9 }, { numTokens });
    const { tensors } = await cache.snapshot();
    snapshots.push(tensors);
  }
  expect(snapshots[1]).toEqual(snapshots[0]);
});
