// layerModel.ts: what a layer of a KV cache must hold: every token that was ever appended, as the cache's types round it.
import { decodeRows, encodeRows, type RowsLayout } from '../../src/index.ts';
import { BATCH, type LayerSetup, type Setup } from './cacheSetup.ts';
import type { PageModel } from './pageModel.ts';

export type Rows = Float32Array<ArrayBuffer>;

/** Rows of new tokens of a layer, [B, Hkv, N, D] and [B, Hkv, N, Dv]. */
export interface TokenRows {
  readonly numTokens: number;
  readonly k: Rows;
  readonly v: Rows;
}

/** A sequence of a layer: its tokens, [C, Hkv, D] and [C, Hkv, Dv]. */
export interface SequenceModel {
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly kvLen: number;
  readonly written: number;
}

/** The same number for each sequence. */
export const even = (count: number): readonly number[] => Array.from({ length: BATCH }, () => count);

/** All sequences. */
export const ALL: readonly number[] = even(0).map((_, b) => b);

const evenUp = (count: number) => count + (count % 2);

export class LayerModel {
  lens: number[] = [...even(0)];
  /** Up to which token the slots of a sequence were written to. */
  written: number[] = [...even(0)];
  /** Appends and forks that were recorded and executed. */
  done = 0;
  /** Those that were recorded alone, and abandoned. */
  missing = 0;
  readonly setup: LayerSetup;
  readonly #types: Pick<Setup, 'kType' | 'vType'>;
  readonly #capacity: number;
  /** Rows by the caller's pages where it allocates them, else by sequence: [slots, Hkv, D]. */
  readonly #pages: PageModel | undefined;
  readonly #k: Rows;
  readonly #v: Rows;

  constructor(setup: LayerSetup, { kType, vType, capacity }: Setup, pages: PageModel | undefined) {
    this.setup = setup;
    this.#types = { kType, vType };
    this.#capacity = capacity;
    this.#pages = pages?.totals && pages;
    const slots = this.#pages ? pages!.sizes.pages * pages!.sizes.pageSize : BATCH * capacity;
    this.#k = this.#empty('k', slots);
    this.#v = this.#empty('v', slots);
  }

  /** What a new buffer, all of whose bytes are 0, stands for. */
  #empty(of: 'k' | 'v', slots: number): Rows {
    const layout = this.#layout(of, 1);
    const [zero = 0] = decodeRows(layout, encodeRows(layout, new Float32Array(this.#tokenSize(of))).fill(0));
    return new Float32Array(slots * this.#tokenSize(of)).fill(zero);
  }

  /** The rows of so many tokens of one sequence. */
  #layout(of: 'k' | 'v', capacity: number): RowsLayout {
    const { numKvHeads: heads } = this.setup;
    const type = of === 'k' ? this.#types.kType : this.#types.vType;
    return { type, headDim: this.#tokenSize(of) / heads, heads, capacity };
  }

  /** Slots of a sequence's ring, and those before it; a ring that has all of them is none. */
  get ring(): { readonly slots: number; readonly sinkSlots: number } | undefined {
    const { ring } = this.setup;
    if (!ring) return undefined;
    const sinks = evenUp(ring.sinkTokens);
    const slots = Math.min(sinks + evenUp(ring.window + ring.chunk - 1), evenUp(this.#capacity));
    return { slots, sinkSlots: Math.min(sinks, slots - 2) };
  }

  /** Whether a token that was appended is there still. */
  isThere(b: number, token: number, written = this.written[b]!): boolean {
    const { ring } = this;
    return !ring || token < ring.sinkSlots || token >= written - (ring.slots - ring.sinkSlots);
  }

  /** Whether all tokens from `first` to before `end` are. */
  hasAll(b: number, first: number, end: number): boolean {
    for (let token = Math.max(0, first); token < end; token++) if (!this.isThere(b, token)) return false;
    return true;
  }

  /** Whether a step over `kvLen` tokens with so many queries reads nothing that is gone. */
  canAttend(b: number, kvLen: number, qLen: number): boolean {
    const { ring } = this.setup;
    return !ring || qLen === 0 || this.hasAll(b, kvLen - (ring.window + qLen - 1), kvLen);
  }

  /** Whether a sequence may be cut to so many tokens. */
  canKeep(b: number, kvLen: number): boolean {
    const { ring } = this.setup;
    if (kvLen > this.lens[b]!) return false;
    if (!ring || kvLen === this.lens[b]) return true;
    // Of a window of one nothing is kept, but the next token goes where the ring was written to last.
    const isNext = kvLen <= this.ring!.sinkSlots || this.isThere(b, kvLen);
    return isNext && this.hasAll(b, kvLen - (ring.window - 1), kvLen);
  }

  cut(b: number, kvLen: number): void {
    this.lens[b] = kvLen;
    if (kvLen <= (this.ring?.sinkSlots ?? Infinity)) this.written[b] = kvLen;
  }

  #slot(b: number, token: number): number {
    if (!this.#pages) return b * this.#capacity + token;
    const { pageSize } = this.#pages.sizes;
    return this.#pages.lists[b]![Math.floor(token / pageSize)]! * pageSize + (token % pageSize);
  }

  /** The values of a token: [Hkv, D]. */
  token(of: 'k' | 'v', b: number, token: number): Rows {
    const size = this.#tokenSize(of);
    const at = this.#slot(b, token) * size;
    return (of === 'k' ? this.#k : this.#v).subarray(at, at + size);
  }

  #tokenSize(of: 'k' | 'v'): number {
    return this.setup.numKvHeads * (of === 'k' ? this.setup.headDim : this.setup.vHeadDim);
  }

  /** Appends the first `counts[b]` of the rows of each head; all of them by default. */
  append(rows: TokenRows, counts = even(rows.numTokens)): void {
    counts.forEach((count, b) => this.#put(b, this.lens[b]!, rows, count));
    this.grow(counts);
    this.done++;
  }

  /** Counts so many tokens more, whatever they are. */
  grow(counts: readonly number[]): void {
    this.lens = this.lens.map((kvLen, b) => kvLen + counts[b]!);
    this.written = this.written.map((most, b) => Math.max(most, this.lens[b]!));
  }

  #put(b: number, at: number, rows: TokenRows, count: number): void {
    if (count === 0) return;
    const { numKvHeads } = this.setup;
    for (const of of ['k', 'v'] as const) {
      const dim = this.#tokenSize(of) / numKvHeads;
      const rounded = this.#rounded(of, b, rows);
      for (let n = 0; n < count; n++) {
        const token = this.token(of, b, at + n);
        for (let head = 0; head < numKvHeads; head++) {
          const from = (head * rows.numTokens + n) * dim;
          token.set(rounded.subarray(from, from + dim), head * dim);
        }
      }
    }
  }

  /** The rows of a sequence as the cache's type has them. */
  #rounded(of: 'k' | 'v', b: number, rows: TokenRows): Rows {
    const size = this.#tokenSize(of) * rows.numTokens;
    const layout = this.#layout(of, rows.numTokens);
    return decodeRows(layout, encodeRows(layout, rows[of].slice(b * size, (b + 1) * size)));
  }

  /** Replaces all. */
  load(rows: TokenRows, kvLens: readonly number[]): void {
    kvLens.forEach((_, b) => this.#put(b, 0, rows, rows.numTokens));
    this.lens = [...kvLens];
    this.written = [...kvLens];
  }

  /** What a sequence holds, of a cache that allocates its pages itself or has none. */
  take(b: number): SequenceModel {
    const all = (values: Rows) =>
      values.slice((b * values.length) / BATCH, ((b + 1) * values.length) / BATCH);
    return { k: all(this.#k), v: all(this.#v), kvLen: this.lens[b]!, written: this.written[b]! };
  }

  put(b: number, { k, v, kvLen, written }: SequenceModel): void {
    this.#k.set(k, b * k.length);
    this.#v.set(v, b * v.length);
    this.lens[b] = kvLen;
    this.written[b] = written;
  }

  /** The values of the first tokens of each sequence: [B, Hkv, C, D]; all else is NaN. */
  values(of: 'k' | 'v', kvLens: readonly number[]): Rows {
    const { numKvHeads } = this.setup;
    const dim = this.#tokenSize(of) / numKvHeads;
    const values = new Float32Array(BATCH * numKvHeads * this.#capacity * dim).fill(NaN);
    kvLens.forEach((kvLen, b) => {
      for (let token = 0; token < kvLen; token++) {
        if (!this.isThere(b, token)) continue;
        const row = this.token(of, b, token);
        for (let head = 0; head < numKvHeads; head++) {
          const at = ((b * numKvHeads + head) * this.#capacity + token) * dim;
          values.set(row.subarray(head * dim, (head + 1) * dim), at);
        }
      }
    });
    return values;
  }
}
