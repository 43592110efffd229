// pageTables.ts: which pages of a cache each sequence holds, and how often: pages are shared by forks until one is written to.
import type { Fate } from '../device/encoders.ts';
import { OutOfPagesError } from '../device/errors.ts';
import { FreePages } from './freePages.ts';

/** A page whose rows are to be copied to another one, in all layers, before anything is appended to that. */
export interface PageCopy {
  readonly from: number;
  readonly to: number;
}

/** A copy that was recorded, and what becomes of that. */
interface RecordedCopy {
  readonly copy: PageCopy;
  readonly fate: Fate;
}

/** The pages of a cache's sequences. Lists are in the order of tokens. */
export class PageTables {
  readonly #pageSize: number;
  readonly #lists: number[][];
  /** Lists that each page is in. */
  readonly #holders: Uint32Array;
  /** Pages in no list. */
  readonly #free: FreePages;
  /** Counts up where a sequence's pages are not only more than before. */
  readonly #versions: number[];
  /** Copies that no recorded work has made yet. */
  #copies: PageCopy[] = [];
  /** Those that were recorded into encoders which were not submitted yet, as far as that is known. */
  #recorded: RecordedCopy[] = [];
  /** Pages in no list that such copies are of, taken last: should an encoder be lost, its copies are made again. */
  #waiting: number[] = [];

  /** @param segmentPages pages of a segment; default: there is one */
  constructor(batch: number, pages: number, pageSize: number, segmentPages = pages) {
    this.#pageSize = pageSize;
    this.#lists = Array.from({ length: batch }, () => []);
    this.#versions = this.#lists.map(() => 0);
    this.#holders = new Uint32Array(pages);
    this.#free = new FreePages(pages, segmentPages);
  }

  /** Pages that no sequence holds. */
  get free(): number {
    return this.#free.count + this.#waiting.length;
  }

  /** Pages of a sequence; those of its tokens, and any that a plan or an append has asked for beyond. */
  pagesOf(b: number): readonly number[] {
    return this.#lists[b]!;
  }

  /** Pages that hold a sequence's tokens now: of one that is to become a copy, the page it is to be copied from. */
  storedPages(b: number): number[] {
    return this.#lists[b]!.map((page) => this.#storedPage(page));
  }

  #storedPage(page: number): number {
    return this.#copies.find(({ to }) => to === page)?.from ?? page;
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
    if (this.#hasAll(held, wanted)) return;
    const missing = this.#missing(held, wanted) - this.free;
    if (missing > 0) throw new OutOfPagesError(missing, this.#holders.length, this.#pageSize);
    for (const [b, list] of this.#lists.entries()) {
      for (const at of this.#sharedPlaces(b, held[b]!, wanted[b]!)) this.#replace(b, at);
      this.#lengthen(list, this.#count(wanted[b]!));
    }
  }

  #lengthen(list: number[], count: number): void {
    while (list.length < count) list.push(this.#take(list.at(-1), count - list.length));
  }

  /** Whether each sequence has its pages already, as all but every `pageSize`-th append finds. Allocates nothing. */
  #hasAll(held: ArrayLike<number>, wanted: ArrayLike<number>): boolean {
    for (let b = 0; b < this.#lists.length; b++) {
      const list = this.#lists[b]!;
      if (wanted[b]! <= held[b]!) continue;
      const end = this.#count(wanted[b]!);
      if (list.length < end) return false;
      for (let at = Math.floor(held[b]! / this.#pageSize); at < end; at++) {
        if (this.#holders[list[at]!]! > 1) return false;
      }
    }
    return true;
  }

  /** Pages to be taken: of those that all their holders are to write to, one may keep the page. */
  #missing(held: ArrayLike<number>, wanted: ArrayLike<number>): number {
    let missing = 0;
    const writers = new Map<number, number>();
    for (const [b, list] of this.#lists.entries()) {
      missing += Math.max(0, this.#count(wanted[b]!) - list.length);
      for (const at of this.#sharedPlaces(b, held[b]!, wanted[b]!)) {
        writers.set(list[at]!, (writers.get(list[at]!) ?? 0) + 1);
      }
    }
    for (const [page, count] of writers) missing += Math.min(count, this.#holders[page]! - 1);
    return missing;
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
    const to = this.#take(list[at - 1], 1);
    list[at] = to;
    this.#holders[from]!--;
    this.#copies.push({ from: this.#storedPage(from), to });
    this.#versions[b]!++;
  }

  #take(before: number | undefined, wanted: number): number {
    this.#settle();
    if (this.#free.count === 0) this.#give(this.#waiting.shift()!);
    const page = this.#free.take(before, wanted);
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
    const missing = kvLens.reduce((sum, kvLen) => sum + this.#count(kvLen), -this.free - freed);
    if (missing > 0) throw new OutOfPagesError(missing, this.#holders.length, this.#pageSize);
    for (const b of sequences) this.shorten(b, 0);
    for (const [i, b] of sequences.entries()) this.#lengthen(this.#lists[b]!, this.#count(kvLens[i]!));
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
    this.#copies = this.#copies.filter(({ to }) => to !== page);
    if (this.#isCopied(page)) this.#waiting.push(page);
    else this.#give(page);
  }

  /** The page may be taken; recorded copies to it are nobody's any more, and neither they nor those of it are made again. */
  #give(page: number): void {
    this.#recorded = this.#recorded.filter(({ copy: { from, to } }) => from !== page && to !== page);
    this.#free.give(page);
  }

  /** Whether a copy of the page is to be recorded, or was and may not have happened. */
  #isCopied(page: number): boolean {
    const isLost = ({ copy, fate }: RecordedCopy) => copy.from === page && !fate.submitted;
    return this.#copies.some(({ from }) => from === page) || this.#recorded.some(isLost);
  }

  /** Forgets recorded copies that were submitted; pages that waited for copies of theirs are free. */
  #settle(): void {
    if (this.#recorded.length > 0) this.#recorded = this.#recorded.filter(({ fate }) => !fate.submitted);
    while (this.#waiting.length > 0) {
      const at = this.#waiting.findIndex((page) => !this.#isCopied(page));
      if (at < 0) return;
      const [page] = this.#waiting.splice(at, 1);
      this.#give(page!);
    }
  }

  /** Copies that were recorded and not submitted are to be recorded again. */
  returnCopies(): void {
    const lost = this.#recorded.filter(({ fate }) => !fate.submitted);
    const copies = [...lost.map(({ copy }) => copy), ...this.#copies];
    this.#recorded = [];
    this.#copies = [];
    // A copy of what is to become a copy itself is one of the same page.
    for (const { from, to } of copies) this.#copies.push({ from: this.#storedPage(from), to });
    this.#copies = this.#copies.filter(({ to }) => this.#holders[to]! > 0);
    this.#settle();
  }

  /** Whether there are any to be recorded. */
  get hasCopies(): boolean {
    return this.#copies.length > 0;
  }

  /** Copies to be recorded before anything else, into an encoder of this fate; they count as recorded then. */
  takeCopies(fate: Fate | undefined): readonly PageCopy[] {
    const copies = this.#copies;
    this.#copies = [];
    // What is not known of counts as submitted.
    if (fate) this.#recorded.push(...copies.map((copy) => ({ copy, fate })));
    this.#settle();
    return copies;
  }
}
