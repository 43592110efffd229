// appendKv.ts: twin of shaders/append_kv.wgsl: new rows behind the ones a cache holds.

/** One append to K or to V: `rows` [B, Hkv, numTokens, D] go into `cache` [B, Hkv, capacity, D] from slot kvLens[b] on. */
export interface Append {
  readonly kvLens: readonly number[];
  readonly numKvHeads: number;
  readonly numTokens: number;
  readonly capacity: number;
  readonly headDim: number;
  readonly rows: ArrayLike<number>;
}

/** Calls `store` for each element that the append writes: its index in the cache and its value. Slots past the capacity are dropped. */
export function appendKv(p: Append, store: (at: number, value: number) => void): void {
  for (let b = 0; b < p.kvLens.length; b++) {
    for (let hk = 0; hk < p.numKvHeads; hk++) {
      const head = b * p.numKvHeads + hk;
      for (let n = 0; n < p.numTokens; n++) {
        const slot = p.kvLens[b]! + n;
        if (slot >= p.capacity) continue;
        for (let d = 0; d < p.headDim; d++) {
          store(
            (head * p.capacity + slot) * p.headDim + d,
            p.rows[(head * p.numTokens + n) * p.headDim + d]!,
          );
        }
      }
    }
  }
}
