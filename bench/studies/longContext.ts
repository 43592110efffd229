// longContext.ts: one token decoded over a sequence as long as a cache of pages can hold, every output held against float64.
import {
  createDecoder,
  createKvCache,
  readBack,
  uploadStorage,
  type DecodePlan,
  type GqaDevice,
  type KvCache,
  type KvType,
} from '../../src/index.ts';
import { uniform } from '../../src/numbers/random.ts';
import { storeProblem, type StoredProblem } from '../../src/reference/problem.ts';
import { expect64, verify, type Verdict } from '../../src/reference/verify.ts';

/** A sequence of `tokens` with one KV head for all query heads. */
export interface LongContext {
  readonly tokens: number;
  readonly heads: number;
  readonly headDim: number;
  readonly pageSize: number;
  readonly cacheType: KvType;
}

/** A step over the filled cache; times are those of the host. */
export interface LongStep {
  /** Appending all tokens. */
  readonly fillMs: number;
  /** Each step from its submission to its end, without the first one, which compiles. */
  readonly stepsMs: readonly number[];
  readonly plan: Pick<DecodePlan, 'dispatches' | 'items'>;
  readonly pages: number;
  /** Bindings that the pages of K, and those of V, are spread over. */
  readonly segments: number;
  readonly cacheBytes: number;
  readonly verdict: Verdict;
}

/** Tokens of an append: at 64 dims their rows take 2 MiB. */
const CHUNK = 8192;

const TIMED_STEPS = 5;

/** Numbers of mean 0 and variance 1. `normals` would repeat whole rows within a million of them. */
function noise(seed: number, count: number): Float32Array<ArrayBuffer> {
  const next = uniform(seed);
  return Float32Array.from({ length: count }, () => (next() - 0.5) * Math.sqrt(12));
}

/** The token whose key outweighs all others of a query head: at the ends of the cache and of pages, then spread. */
export function needleOf({ tokens, heads, pageSize }: LongContext, head: number): number {
  const ends = [0, tokens - 1, pageSize - 1, pageSize, tokens / 2, tokens - pageSize];
  return Math.floor(ends[head] ?? (tokens * (head - ends.length + 1)) / heads);
}

/**
 * Random K and V, and queries that are three times a key: its score is about 3 sqrt(D), those of others have a deviation of 3,
 * so that at D = 64 it stands e^24 against a million times e^4.5. A step that misses the page of one of these keys shows.
 */
export function longProblem(sizes: LongContext): StoredProblem {
  const { tokens, heads, headDim, cacheType } = sizes;
  const k = noise(1, tokens * headDim);
  const q = new Float32Array(heads * headDim);
  for (let head = 0; head < heads; head++) {
    const key = needleOf(sizes, head) * headDim;
    for (let d = 0; d < headDim; d++) q[head * headDim + d] = 3 * k[key + d]!;
  }
  return storeProblem({
    numQHeads: heads,
    numKvHeads: 1,
    headDim,
    kvLens: [tokens],
    kType: cacheType,
    q,
    k,
    v: noise(2, tokens * headDim),
  });
}

/**
 * Fills a cache of pages by appends, decodes over all of it and verifies what comes out. Throws LimitExceededError when the
 * device cannot hold it. `show` is told what is being done.
 */
export async function runLongContext(
  device: GqaDevice,
  sizes: LongContext,
  show: (what: string) => void = () => {},
): Promise<LongStep> {
  const { tokens, headDim, pageSize, cacheType: kType } = sizes;
  const cache = await createKvCache(device, { numKvHeads: 1, headDim, capacity: tokens, pageSize, kType });
  try {
    show('making K and V');
    const problem = longProblem(sizes);
    show('appending all tokens');
    const fillMs = await fill(cache, problem);
    show('decoding');
    const { o, lse, ...step } = await decode(cache, problem);
    show('computing the same in float64, and naively in f32');
    const verdict = verify(expect64(problem), o, lse);
    const { pages, segments } = cache.layout;
    return { ...step, fillMs, pages: pages!, segments, cacheBytes: cache.allocatedBytes, verdict };
  } finally {
    cache.destroy();
  }
}

/** Steps over all that the cache holds, and what the last one wrote. */
async function decode(cache: KvCache, { q, numQHeads, headDim, kvLens }: StoredProblem) {
  const { device } = cache;
  const decoder = await createDecoder(device, { cache, numQHeads });
  const buffers = {
    q: uploadStorage(device, 'q', q),
    // NaN shows what no kernel writes.
    o: uploadStorage(device, 'o', new Float32Array(numQHeads * headDim).fill(NaN)),
    lse: uploadStorage(device, 'lse', new Float32Array(numQHeads).fill(NaN)),
  };
  try {
    const step = await decoder.bind(buffers);
    const plan = decoder.plan({ kvLens });
    await timed(device, () => step.run(plan)); // compiles
    const stepsMs: number[] = [];
    while (stepsMs.length < TIMED_STEPS) stepsMs.push(await timed(device, () => step.run(plan)));
    const o = new Float32Array(await readBack(device, buffers.o));
    const lse = new Float32Array(await readBack(device, buffers.lse));
    return { stepsMs, plan, o, lse };
  } finally {
    for (const made of [...Object.values(buffers), decoder]) made.destroy();
  }
}

/** Appends all tokens of the problem, whose values the cache's type holds exactly; returns how long that took. */
function fill(cache: KvCache, { k, v, headDim, capacity }: StoredProblem): Promise<number> {
  return timed(cache.device, async () => {
    for (let first = 0; first < capacity; first += CHUNK) {
      const end = Math.min(capacity, first + CHUNK);
      const rows = (name: string, values: Float32Array) =>
        uploadStorage(cache.device, name, values.subarray(first * headDim, end * headDim));
      const [newK, newV] = [rows('new k', k), rows('new v', v)];
      await cache.append({ k: newK, v: newV, numTokens: end - first });
      newK.destroy();
      newV.destroy();
    }
  });
}

/** Milliseconds until what `act` submits is done. */
async function timed(device: GqaDevice, act: () => void | Promise<void>): Promise<number> {
  const start = performance.now();
  await act();
  await device.idle();
  return performance.now() - start;
}
