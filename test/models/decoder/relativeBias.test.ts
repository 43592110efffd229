// relativeBias.test.ts: T5's buckets by distance, as transformers gives them in f32, and the table that kernels read.
import { expect, test } from 'vitest';
import { relativeBiasTable } from '../../../src/models/decoder/relativeBias.ts';

/** Buckets by way from query to key, of `_relative_position_bucket`'s arithmetic in numpy's f32. */
const BUCKETS = [
  {
    bothWays: true,
    buckets: 32,
    maxDistance: 128,
    ways: [-200, -128, -127, -91, -90, -64, -63, -32, -16, -9, -8, -7, -1, 0, 1, 7, 8, 16, 64, 200],
    expected: [15, 15, 15, 15, 14, 14, 13, 12, 10, 8, 8, 7, 1, 0, 17, 23, 24, 26, 30, 31],
  },
  {
    bothWays: false,
    buckets: 32,
    maxDistance: 128,
    ways: [-200, -128, -113, -112, -64, -32, -19, -18, -16, -15, -9, -1, 0, 5],
    expected: [31, 31, 31, 30, 26, 21, 17, 16, 16, 15, 9, 1, 0, 0],
  },
  {
    bothWays: true,
    buckets: 10,
    maxDistance: 19,
    ways: [-200, -9, -8, -7, -1, 0, 1, 7, 8, 16, 64],
    expected: [4, 4, 3, 3, 1, 0, 6, 8, 8, 9, 9],
  },
] as const;

test.each(BUCKETS)('$buckets buckets to $maxDistance, both ways $bothWays', ({ ways, expected, ...bias }) => {
  const { buckets, maxDistance } = bias;
  const heads = 2;
  // The number of the bucket, and that of the head beside it.
  const values = Float32Array.from(
    { length: buckets * heads },
    (_, i) => Math.floor(i / heads) + 100 * (i % heads),
  );
  const table = relativeBiasTable({ ...bias, tensor: 'bias' }, values, heads);
  const width = 2 * maxDistance + 1;
  expect(table).toHaveLength(heads * width);
  for (const head of [0, 1]) {
    const found = ways.map((way) => {
      const kept = Math.max(-maxDistance, Math.min(maxDistance, way));
      return table[head * width + maxDistance + kept]! - 100 * head;
    });
    expect(found).toEqual(expected);
  }
});
