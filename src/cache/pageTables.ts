// pageTables.ts: which pages of a cache each sequence holds, and how often: pages are shared by forks until one is written to.
import { OutOfPagesError } from '../device/errors.ts';

/** A page whose rows are to be copied to another one, in all layers, before anything is appended to that. */
export interface PageCopy {
  readonly from: number;
  readonly to: number;
}

/** The pages of a cache's sequences. Lists are in the order of tokens. */
export class PageTables {
  readonly #pageSize: number;
  readonly #lists: number[][];
  /** Lists that each page is in. */
  readonly #holders: Uint32Array;
  /** Pages in no list; the last is taken first. */
  readonly #free: number[];
  /** Counts up where a sequence's pages are not only more than before. */
  readonly #versions: number[];
  /** Copies that no recorded work has made yet. */
  #copies: PageCopy[] = [];

  constructor(batch: number, pages: number, pageSize: number) {
    this.#pageSize = pageSize;
    this.#lists = Array.from({ length: batch }, () => []);
    this.#versions = this.#lists.map(() => 0);
    this.#holders = new Uint32Array(pages);
    this.#free = Array.from({ length: pages }, (_, i) => pages - 1 - i);
  }

  /** Pages that no sequence holds. */
  get free(): number {
    return this.#free.length;
  }

  /** Pages of a sequence; those of its tokens, and any that a plan or an append has asked for beyond. */
  pagesOf(b: number): readonly number[] {
    return this.#lists[b]!;
  }

  /** Pages that hold a sequence's tokens now: of one that is to become a copy, the page it is to be copied from. */
  storedPages(b: number): number[] {
    return this.#lists[b]!.map((page) => this.#copies.find(({ to }) => to === page)?.from ?? page);
  }

  /** What changes when a list of before is no longer the beginning of the list of now: [B]. */
  get versions(): readonly number[] {
    return this.#versions;
  }

  /**
   * Gives each sequence pages for `wanted` tokens, of which it holds `held`, so that all behind those is its own to write. A page
   * that is shared gives way to a copy. Throws OutOfPagesError, and changes nothing, when there are not enough.
   */
  reserve(held: ArrayLike<number>, wanted: ArrayLike<number>): void {
    const missing = this.#lists.reduce(
      (sum, _, b) => sum + this.#missing(b, held[b]!, wanted[b]!),
      -this.#free.length,
    );
    if (missing > 0) throw new OutOfPagesError(missing, this.#holders.length, this.#pageSize);
    for (const [b, list] of this.#lists.entries()) {
      for (const at of this.#sharedPlaces(b, held[b]!, wanted[b]!)) this.#replace(b, at);
      while (list.length < this.#count(wanted[b]!)) list.push(this.#take());
    }
  }

  #missing(b: number, held: number, wanted: number): number {
    const more = Math.max(0, this.#count(wanted) - this.#lists[b]!.length);
    return more + this.#sharedPlaces(b, held, wanted).length;
  }

  /** The places in a list of pages that tokens behind `held` go to, and that other sequences hold too. */
  #sharedPlaces(b: number, held: number, wanted: number): number[] {
    if (wanted <= held) return [];
    const first = Math.floor(held / this.#pageSize);
    const written = this.#lists[b]!.slice(first, this.#count(wanted));
    return written.flatMap((page, i) => (this.#holders[page]! > 1 ? [first + i] : []));
  }

  #count(tokens: number): number {
    return Math.ceil(tokens / this.#pageSize);
  }

  #replace(b: number, at: number): void {
    const list = this.#lists[b]!;
    const from = list[at]!;
    const to = this.#take();
    list[at] = to;
    this.#holders[from]!--;
    this.#copies.push({ from, to });
    this.#versions[b]!++;
  }

  #take(): number {
    const page = this.#free.pop()!;
    this.#holders[page] = 1;
    return page;
  }

  /**
   * Sequences give up their pages for others, which nobody else holds, for these numbers of tokens. Throws OutOfPagesError, and
   * changes nothing, when there are not enough.
   */
  replace(sequences: readonly number[], kvLens: readonly number[]): void {
    const given = sequences.flatMap((b) => this.#lists[b]!);
    const freed = new Set(given).size - this.#heldElsewhere(given);
    const missing = kvLens.reduce((sum, kvLen) => sum + this.#count(kvLen), -this.#free.length - freed);
    if (missing > 0) throw new OutOfPagesError(missing, this.#holders.length, this.#pageSize);
    for (const b of sequences) this.shorten(b, 0);
    for (const [i, b] of sequences.entries()) {
      const list = this.#lists[b]!;
      while (list.length < this.#count(kvLens[i]!)) list.push(this.#take());
    }
  }

  /** How many of the pages are in more lists than they are given here. */
  #heldElsewhere(given: readonly number[]): number {
    const counts = new Map<number, number>();
    for (const page of given) counts.set(page, (counts.get(page) ?? 0) + 1);
    return [...counts].filter(([page, count]) => this.#holders[page]! > count).length;
  }

  /** A sequence keeps the pages of its first tokens; others that nobody else holds are free again. */
  shorten(b: number, kvLen: number): void {
    const list = this.#lists[b]!;
    if (list.length > this.#count(kvLen)) this.#versions[b]!++;
    while (list.length > this.#count(kvLen)) this.#release(list.pop()!);
  }

  /** `to` holds the pages of the first `kvLen` tokens of `from`, and no others. */
  fork(from: number, to: number, kvLen: number): void {
    this.shorten(to, 0);
    const list = this.#lists[from]!.slice(0, this.#count(kvLen));
    for (const page of list) this.#holders[page]!++;
    this.#lists[to] = list;
  }

  #release(page: number): void {
    this.#holders[page]!--;
    if (this.#holders[page]! > 0) return;
    this.#free.push(page);
    this.#copies = this.#copies.filter(({ to }) => to !== page);
  }

  /** Copies to be recorded before anything else; they count as recorded then. */
  takeCopies(): readonly PageCopy[] {
    const copies = this.#copies;
    if (copies.length > 0) this.#copies = [];
    return copies;
  }
}
