// appendKv.ts: twin of shaders/cache/append_kv.wgsl: new rows behind the ones a cache holds.

/** One append to K or to V: the first counts[b] of `rows` [B, Hkv, numTokens, D] go into the slots [B, Hkv, capacity] from kvLens[b] on. */
export interface Append {
  readonly kvLens: readonly number[];
  readonly numKvHeads: number;
  readonly numTokens: number;
  /** [B]; default: all rows of each sequence. */
  readonly counts?: readonly number[];
  readonly capacity: number;
  readonly headDim: number;
  readonly rows: ArrayLike<number>;
}

/** Calls `store` for each slot that the append writes, with the row's values. Slots past the capacity are dropped. */
export function appendKv(p: Append, store: (slot: number, row: readonly number[]) => void): void {
  for (let b = 0; b < p.kvLens.length; b++) {
    for (let hk = 0; hk < p.numKvHeads; hk++) {
      const head = b * p.numKvHeads + hk;
      for (let n = 0; n < (p.counts?.[b] ?? p.numTokens); n++) {
        const slot = p.kvLens[b]! + n;
        if (slot >= p.capacity) continue;
        const from = (head * p.numTokens + n) * p.headDim;
        const row = Array.from({ length: p.headDim }, (_, d) => p.rows[from + d]!);
        store(head * p.capacity + slot, row);
      }
    }
  }
}
