// pageModel.ts: which pages the sequences of a cache must have, by the rules as callers know them; in lists, without a thought of speed.
import { OutOfPagesError, ShapeError, type CallerPages } from '../../src/index.ts';
import type { ErrorClass } from './cacheSetup.ts';

interface Sizes {
  readonly batch: number;
  readonly capacity: number;
  readonly pages: number;
  readonly pageSize: number;
}

/** The pages of all sequences. A page of a cache that allocates them itself is a number that no other one ever has. */
export class PageModel {
  lists: number[][];
  /** Counts up where a sequence's pages are not only more than before: plans of before are refused then. */
  versions: number[];
  /** Tokens that the caller gave pages for; undefined where the cache allocates them. */
  totals: number[] | undefined;
  readonly sizes: Sizes;
  #next = 0;

  constructor(sizes: Sizes, isCallers: boolean) {
    this.sizes = sizes;
    this.lists = Array.from({ length: sizes.batch }, () => []);
    this.versions = this.lists.map(() => 0);
    this.totals = isCallers ? this.lists.map(() => 0) : undefined;
  }

  clone(): PageModel {
    const copy = new PageModel(this.sizes, this.totals !== undefined);
    copy.lists = this.lists.map((list) => [...list]);
    copy.versions = [...this.versions];
    copy.totals = this.totals && [...this.totals];
    copy.#next = this.#next;
    return copy;
  }

  /** Becomes as another one is. */
  become(other: PageModel): void {
    this.lists = other.lists;
    this.versions = other.versions;
    this.totals = other.totals;
    this.#next = other.#next;
  }

  count(tokens: number): number {
    return Math.ceil(tokens / this.sizes.pageSize);
  }

  /** Pages that sequences hold. */
  get held(): number {
    return new Set(this.lists.flat()).size;
  }

  get free(): number {
    return this.sizes.pages - this.held;
  }

  #holders(page: number): number {
    return this.lists.filter((list) => list.includes(page)).length;
  }

  /** Sequences that hold so many tokens are to have room for more, nobody else's: what refuses that, or nothing when it is done. */
  reserve(held: readonly number[], wanted: readonly number[]): ErrorClass | undefined {
    if (this.totals) return this.#checkTotals(held, wanted);
    const next = this.clone();
    next.lists.forEach((list, b) => {
      if (wanted[b]! <= held[b]!) return;
      const end = this.count(wanted[b]!);
      for (let at = Math.floor(held[b]! / this.sizes.pageSize); at < Math.min(end, list.length); at++) {
        if (next.#holders(list[at]!) === 1) continue;
        list[at] = next.#next++;
        next.versions[b]!++;
      }
      while (list.length < end) list.push(next.#next++);
    });
    if (next.free < 0) return OutOfPagesError;
    this.become(next);
    return undefined;
  }

  #checkTotals(held: readonly number[], wanted: readonly number[]): ErrorClass | undefined {
    const isRight = this.lists.every(
      (list, b) => wanted[b]! <= this.totals![b]! && this.#isOwn(list, held[b]!, wanted[b]!),
    );
    return isRight ? undefined : ShapeError;
  }

  /** Whether tokens from `from` on lie in pages that one sequence has. */
  #isOwn(list: readonly number[], from: number, end: number): boolean {
    if (from >= end) return true;
    const written = list.slice(Math.floor(from / this.sizes.pageSize), this.count(end));
    return written.every((page) => this.#holders(page) === 1);
  }

  /** A sequence keeps the pages of its first tokens; a caller's keeps all. */
  shorten(b: number, kvLen: number): void {
    if (this.totals || this.lists[b]!.length <= this.count(kvLen)) return;
    this.versions[b]!++;
    this.lists[b] = this.lists[b]!.slice(0, this.count(kvLen));
  }

  fork(from: number, to: number, kvLen: number): void {
    this.shorten(to, 0);
    this.lists[to] = this.lists[from]!.slice(0, this.count(kvLen));
  }

  /** Sequences give up their pages for others: what refuses that, or nothing when it is done. */
  replace(sequences: readonly number[], kvLens: readonly number[]): ErrorClass | undefined {
    if (this.totals) return ShapeError;
    const next = this.clone();
    for (const b of sequences) next.shorten(b, 0);
    for (const [i, b] of sequences.entries()) {
      while (next.lists[b]!.length < this.count(kvLens[i]!)) next.lists[b]!.push(next.#next++);
    }
    if (next.free < 0) return OutOfPagesError;
    this.become(next);
    return undefined;
  }

  /** The caller's table: what refuses it, or the tokens that each sequence has by it. */
  set({ indptr, indices, lastPageLen }: CallerPages, newTokens: readonly number[]): number[] | undefined {
    const { batch, capacity, pages, pageSize } = this.sizes;
    if (!this.totals) return undefined;
    const ends = Array.from(indptr);
    const all = Array.from(indices);
    if (ends.length !== batch + 1 || ends[0] !== 0 || ends[batch] !== all.length) return undefined;
    if (ends.some((end, b) => b > 0 && end < ends[b - 1]!)) return undefined;
    const next = this.clone();
    next.lists = this.lists.map((_, b) => all.slice(ends[b], ends[b + 1]));
    next.totals = next.lists.map(({ length }, b) =>
      length === 0 ? lastPageLen[b]! : (length - 1) * pageSize + lastPageLen[b]!,
    );
    const isRight = next.lists.every((list, b) => {
      const [last, total] = [lastPageLen[b]!, next.totals![b]!];
      if (list.some((page) => !(page >= 0 && page < pages)) || new Set(list).size < list.length) return false;
      if (list.length === 0 ? last !== 0 : last < 1 || last > pageSize) return false;
      if (total > capacity || newTokens[b]! > total) return false;
      return next.#isOwn(list, total - newTokens[b]!, total);
    });
    if (!isRight) return undefined;
    this.lists.forEach((old, b) => {
      if (old.some((page, at) => next.lists[b]![at] !== page)) next.versions[b]!++;
    });
    this.become(next);
    return this.totals.map((total, b) => total - newTokens[b]!);
  }
}
