// growCache.ts: fills a cache with a problem's tokens by appends of other counts for each sequence, a fork and a reset.
import { uploadStorage, type KvCache } from '../../src/index.ts';
import type { StoredProblem } from '../../src/reference/problem.ts';

/**
 * Appends the first half of every sequence, then the rest. The first half of sequence 0 comes by a fork of the last one, which
 * is reset after that and gets its own. The tokens are those that the cache's types hold exactly.
 */
export async function growCache(cache: KvCache, problem: StoredProblem): Promise<void> {
  const { kvLens, batch } = problem;
  const last = batch - 1;
  const half = kvLens.map((kvLen) => Math.floor(kvLen / 2));
  const none = kvLens.map(() => 0);
  const fitting = tokensOfBuffer(cache, problem);
  const append = async (
    from: readonly number[],
    to: readonly number[],
    source = (b: number) => b,
  ): Promise<void> => {
    const counts = to.map((end, b) => Math.min(fitting, end - from[b]!));
    const most = Math.max(...counts);
    if (most === 0) return;
    const rowsOf = (name: string, values: Float32Array, dim: number) => {
      const rows = tokenRows({ ...problem, values, dim }, from, counts, source);
      return uploadStorage(cache.device, name, rows);
    };
    const k = rowsOf('k', problem.k, problem.headDim);
    const v = rowsOf('v', problem.v, problem.vHeadDim);
    try {
      await cache.append({ k, v, numTokens: most }, { numTokens: counts });
    } finally {
      k.destroy();
      v.destroy();
    }
    return append(
      from.map((start, b) => start + counts[b]!),
      to,
      source,
    );
  };
  if (last > 0) {
    await append(none, none.with(last, half[0]!), () => 0);
    await cache.fork(last, 0);
    cache.reset(last);
  }
  await append(last > 0 ? none.with(0, half[0]!) : none, half);
  await append(half, kvLens);
}

/** Tokens of each sequence whose rows a buffer holds in f32. */
function tokensOfBuffer({ device }: KvCache, problem: StoredProblem): number {
  const { batch, numKvHeads, headDim, vHeadDim } = problem;
  const { maxBindingBytes, maxBufferBytes } = device.facts;
  const bytes = batch * numKvHeads * Math.max(headDim, vHeadDim) * 4;
  return Math.max(1, Math.floor(Math.min(maxBindingBytes, maxBufferBytes) / bytes));
}

/** Values of K or V, [B, Hkv, capacity, dim]. */
interface Values extends Pick<StoredProblem, 'batch' | 'numKvHeads' | 'capacity'> {
  readonly values: Float32Array;
  readonly dim: number;
}

/** The rows of `counts[b]` tokens from `from[b]` on, of the sequence `source(b)`: [B, Hkv, the most of them, dim]. */
export function tokenRows(
  { batch, numKvHeads, capacity, values, dim }: Values,
  from: readonly number[],
  counts: readonly number[],
  source = (b: number) => b,
): Float32Array<ArrayBuffer> {
  const most = Math.max(...counts);
  const rows = new Float32Array(batch * numKvHeads * most * dim);
  counts.forEach((count, b) => {
    for (let head = 0; head < numKvHeads; head++) {
      const start = ((source(b) * numKvHeads + head) * capacity + from[b]!) * dim;
      rows.set(values.subarray(start, start + count * dim), (b * numKvHeads + head) * most * dim);
    }
  });
  return rows;
}
