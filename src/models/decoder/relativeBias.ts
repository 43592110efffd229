// relativeBias.ts: a learned table of buckets as numbers by head and distance, as kernels add them to scores; pure.
import { t5Bucket, t5BucketBothWays } from '../families/t5.ts';
import type { RelativeBiasSpec } from './spec.ts';

/**
 * Biases by distance, [heads, 2 * maxDistance + 1], from `maxDistance` keys before a query to as many behind it: what is farther away is in
 * the same bucket. A decoder never sees those behind.
 * @param values [buckets, heads]
 */
export function relativeBiasTable(
  { buckets, maxDistance, bothWays }: RelativeBiasSpec,
  values: Float32Array,
  heads: number,
): Float32Array<ArrayBuffer> {
  const width = 2 * maxDistance + 1;
  const table = new Float32Array(heads * width);
  for (let i = 0; i < width; i++) {
    const way = i - maxDistance;
    const bucket = bothWays
      ? t5BucketBothWays(way, buckets, maxDistance)
      : t5Bucket(Math.max(0, -way), buckets, maxDistance);
    for (let head = 0; head < heads; head++) table[head * width + i] = values[bucket * heads + head]!;
  }
  return table;
}
