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
  /** Copies that no recorded work has made yet. */
  #copies: PageCopy[] = [];

  constructor(batch: number, pages: number, pageSize: number) {
    this.#pageSize = pageSize;
    this.#lists = Array.from({ length: batch }, () => []);
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
      if (wanted[b]! <= held[b]!) continue;
      if (this.#isSharedPart(b, held[b]!)) this.#replace(list, this.#firstPage(held[b]!));
      while (list.length < this.#count(wanted[b]!)) list.push(this.#take());
    }
  }

  #missing(b: number, held: number, wanted: number): number {
    if (wanted <= held) return 0;
    const more = Math.max(0, this.#count(wanted) - this.#lists[b]!.length);
    return more + (this.#isSharedPart(b, held) ? 1 : 0);
  }

  /** Whether the next token goes to a page that another sequence holds too. */
  #isSharedPart(b: number, held: number): boolean {
    const page = this.#lists[b]![this.#firstPage(held)];
    return page !== undefined && this.#holders[page]! > 1;
  }

  /** The place in a list of the page that the token behind `held` goes to. */
  #firstPage(held: number): number {
    return Math.floor(held / this.#pageSize);
  }

  #count(tokens: number): number {
    return Math.ceil(tokens / this.#pageSize);
  }

  #replace(list: number[], at: number): void {
    const from = list[at]!;
    const to = this.#take();
    list[at] = to;
    this.#holders[from]!--;
    this.#copies.push({ from, to });
  }

  #take(): number {
    const page = this.#free.pop()!;
    this.#holders[page] = 1;
    return page;
  }

  /** A sequence keeps the pages of its first tokens; others that nobody else holds are free again. */
  shorten(b: number, kvLen: number): void {
    const list = this.#lists[b]!;
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
