// appendAll.ts: fills all layers of a cache with a problem's tokens by appends, as a cache of pages wants it.
import { uploadStorage, type KvCache } from '../../src/index.ts';
import { tokenRows } from '../check/growCache.ts';
import type { StoredProblem } from '../../src/reference/problem.ts';

/** Tokens of an append. */
const CHUNK = 4096;

/** The rows are those that the cache's types hold exactly, so that it stores what the problem does. */
export async function appendAll(cache: KvCache, problem: StoredProblem): Promise<void> {
  const { kvLens } = problem;
  const none = kvLens.map(() => 0);
  await appendUpTo(cache, problem, none, kvLens);
}

/** Fills sequences that share their first `prefix` tokens: those of the first one, forked by all others. */
export async function appendShared(cache: KvCache, problem: StoredProblem, prefix: number): Promise<void> {
  const { kvLens } = problem;
  const none = kvLens.map(() => 0);
  await appendUpTo(cache, problem, none, none.with(0, prefix));
  for (let b = 1; b < kvLens.length; b++) await cache.fork(0, b);
  await appendUpTo(
    cache,
    problem,
    none.map(() => prefix),
    kvLens,
  );
}

async function appendUpTo(
  cache: KvCache,
  problem: StoredProblem,
  starts: readonly number[],
  ends: readonly number[],
): Promise<void> {
  const { headDim, vHeadDim } = problem;
  const longest = Math.max(...ends.map((end, b) => end - starts[b]!));
  for (let done = 0; done < longest; done += CHUNK) {
    const numTokens = Math.min(CHUNK, longest - done);
    const from = starts.map((start) => start + done);
    const counts = ends.map((end, b) => Math.max(0, Math.min(numTokens, end - from[b]!)));
    const rowsOf = (name: string, values: Float32Array, dim: number) =>
      uploadStorage(cache.device, name, tokenRows({ ...problem, values, dim }, from, counts));
    const rows = { k: rowsOf('k', problem.k, headDim), v: rowsOf('v', problem.v, vHeadDim) };
    try {
      for (let layer = 0; layer < cache.layout.layers; layer++) {
        await cache.append({ layer, ...rows, numTokens }, { numTokens: counts });
      }
    } finally {
      for (const buffer of Object.values(rows)) buffer.destroy();
    }
  }
}
