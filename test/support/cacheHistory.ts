// cacheHistory.ts: all that was ever appended to the sequences of a cache, by which what a cache kept of it is judged.
import { uploadStorage, type KvCache } from '../../src/index.ts';
import { normals } from '../../src/numbers/random.ts';

export const SHAPE = { batch: 3, numKvHeads: 2, headDim: 16, capacity: 400 } as const;
export const HEADS = SHAPE.batch * SHAPE.numKvHeads;
export const Q_HEADS = 6;

/** The rows of all sequences, and how many of them there are. */
export class History {
  /** [B, Hkv, capacity, D] */
  readonly k = new Float32Array(HEADS * SHAPE.capacity * SHAPE.headDim);
  readonly v = new Float32Array(HEADS * SHAPE.capacity * SHAPE.headDim);
  lens = [0, 0, 0];
  /** The highest token that was stored, with those that were forgotten since. */
  written = [0, 0, 0];

  append(k: Float32Array, v: Float32Array, rows: number, counts: readonly number[]): void {
    const { headDim: D, capacity } = SHAPE;
    for (let head = 0; head < HEADS; head++) {
      const b = Math.floor(head / SHAPE.numKvHeads);
      const [from, to] = [head * rows * D, (head * capacity + this.lens[b]!) * D];
      this.k.set(k.subarray(from, from + counts[b]! * D), to);
      this.v.set(v.subarray(from, from + counts[b]! * D), to);
    }
    this.lens = this.lens.map((kvLen, b) => kvLen + counts[b]!);
    this.written = this.written.map((most, b) => Math.max(most, this.lens[b]!));
  }

  fork(from: number, to: number): void {
    const size = SHAPE.numKvHeads * SHAPE.capacity * SHAPE.headDim;
    for (const rows of [this.k, this.v]) rows.copyWithin(to * size, from * size, (from + 1) * size);
    this.lens[to] = this.lens[from]!;
    this.written[to] = this.written[from]!;
  }
}

/** Appends random rows to both layers of a cache, and to its history when both have taken them; throws what one of them threw. */
export async function appendRandom(
  cache: KvCache,
  history: History,
  counts: readonly number[],
  seed: number,
): Promise<void> {
  const numTokens = Math.max(1, ...counts);
  const k = normals(seed, HEADS * numTokens * SHAPE.headDim);
  const v = normals(seed + 1, HEADS * numTokens * SHAPE.headDim);
  const buffers = { k: uploadStorage(cache.device, 'k', k), v: uploadStorage(cache.device, 'v', v) };
  const settled = await Promise.allSettled(
    [0, 1].map((layer) => cache.append({ layer, ...buffers, numTokens }, { numTokens: counts })),
  );
  for (const buffer of Object.values(buffers)) buffer.destroy();
  // Both have ended before anything is made of an error of one.
  for (const outcome of settled) if (outcome.status === 'rejected') throw outcome.reason;
  history.append(k, v, numTokens, counts);
}
