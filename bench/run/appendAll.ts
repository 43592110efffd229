// appendAll.ts: fills all layers of a cache with a problem's tokens by appends, as a cache of pages wants it.
import { uploadStorage, type KvCache } from '../../src/index.ts';
import { tokenRows } from '../check/growCache.ts';
import type { StoredProblem } from '../../src/reference/problem.ts';

/** Tokens of an append. */
const CHUNK = 4096;

/** The rows are those that the cache's types hold exactly, so that it stores what the problem does. */
export async function appendAll(cache: KvCache, problem: StoredProblem): Promise<void> {
  const { kvLens, headDim, vHeadDim } = problem;
  const longest = Math.max(...kvLens);
  for (let first = 0; first < longest; first += CHUNK) {
    const numTokens = Math.min(CHUNK, longest - first);
    const counts = kvLens.map((kvLen) => Math.max(0, Math.min(numTokens, kvLen - first)));
    const from = counts.map(() => first);
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
