// callerTables.ts: the pages of a cache whose caller allocates them, as the caller's own table says.
import { ShapeError } from '../device/errors.ts';
import { checkOptions, checkWhole, describe, isObject, type Known } from '../device/options.ts';
import type { PageCopy } from './pageTables.ts';

/**
 * Which pages sequences have, in compressed rows, as FlashInfer's kernels take it; the tokens that a step is about to append are in it
 * already. Any arrays of whole numbers; they are copied.
 */
export interface CallerPages {
  /** [B + 1], from 0 up to the number of `indices`: those of sequence b are at indptr[b] to indptr[b + 1] - 1. */
  readonly indptr: ArrayLike<number>;
  /** Pages, the first tokens' first, each from 0 to the cache's number of pages - 1. */
  readonly indices: ArrayLike<number>;
  /** [B]: tokens in a sequence's last page, 1 to the page size; 0 for one without pages. */
  readonly lastPageLen: ArrayLike<number>;
}

const CALLER_PAGES = { indptr: true, indices: true, lastPageLen: true } satisfies Known<CallerPages>;

export interface SetPagesOptions {
  /** [B]: the last tokens of each sequence which are not there yet: those that the next append of each layer brings. Default: none. */
  readonly newTokens?: ArrayLike<number>;
}

const SET_PAGES_OPTIONS = { newTokens: true } satisfies Known<SetPagesOptions>;

/** Sizes of the cache. */
interface Sizes {
  readonly batch: number;
  readonly capacity: number;
  readonly pages: number;
  readonly pageSize: number;
}

/** In the place of `PageTables`: nothing is allocated, copied or freed here. */
export class CallerTables {
  readonly free = undefined;
  readonly hasCopies = false;
  readonly versions: number[];
  readonly #sizes: Sizes;
  #lists: readonly (readonly number[])[];
  /** Tokens that each sequence has pages for, as far as its last one was said to be filled. */
  #totals: readonly number[];
  /** Lists that each page is in. */
  #holders: Uint32Array;

  constructor(sizes: Sizes) {
    this.#sizes = sizes;
    this.#lists = Array.from({ length: sizes.batch }, () => []);
    this.#totals = this.#lists.map(() => 0);
    this.versions = this.#lists.map(() => 0);
    this.#holders = new Uint32Array(sizes.pages);
  }

  pagesOf(b: number): readonly number[] {
    return this.#lists[b]!;
  }

  storedPages(b: number): readonly number[] {
    return this.#lists[b]!;
  }

  /**
   * Takes a table, and returns how many tokens of each sequence are there already. Throws ShapeError, and changes nothing, for one
   * that is none, that the cache does not have the pages for, or by which new tokens would go to a page of two sequences.
   */
  set(table: CallerPages, options: SetPagesOptions): number[] {
    const lists = listsOf(table, options, this.#sizes);
    const totals = totalsOf(table, lists, this.#sizes);
    const held = heldOf(totals, options);
    const holders = new Uint32Array(this.#sizes.pages);
    for (const list of lists) for (const page of list) holders[page]!++;
    lists.forEach((list, b) => {
      const shared = this.#sharedPage(list, holders, held[b]!, totals[b]!);
      if (shared !== undefined) {
        throw new ShapeError(
          `setPages: sequence ${b}: expected pages of its own for its new tokens, got page ${shared}, which another sequence has too`,
        );
      }
    });
    this.#lists.forEach((old, b) => {
      if (old.some((page, at) => lists[b]![at] !== page)) this.versions[b]!++;
    });
    this.#lists = lists;
    this.#totals = totals;
    this.#holders = holders;
    return held;
  }

  /** Throws ShapeError for tokens that there are no pages for, or that would go to a page of two sequences. Allocates nothing otherwise. */
  reserve(held: ArrayLike<number>, wanted: ArrayLike<number>): void {
    for (let b = 0; b < this.#lists.length; b++) {
      if (wanted[b]! > this.#totals[b]!) {
        throw new ShapeError(
          `pages: sequence ${b}: expected at most the ${this.#totals[b]} tokens that setPages() gave pages for, got ${wanted[b]}`,
        );
      }
      const shared = this.#sharedPage(this.#lists[b]!, this.#holders, held[b]!, wanted[b]!);
      if (shared === undefined) continue;
      throw new ShapeError(
        `pages: sequence ${b}: expected pages of its own for tokens ${held[b]} to ${wanted[b]! - 1}, got page ${shared}, which another sequence has too`,
      );
    }
  }

  /** A page that tokens `from` to before `end` go to and that is in several lists. */
  #sharedPage(list: readonly number[], holders: Uint32Array, from: number, end: number): number | undefined {
    const { pageSize } = this.#sizes;
    for (let at = Math.floor(from / pageSize); at * pageSize < end; at++) {
      if (from < end && holders[list[at]!]! > 1) return list[at];
    }
    return undefined;
  }

  // What sequences give up stays theirs, until the caller says otherwise.

  shorten(): void {}

  replace(): void {
    throw new ShapeError(
      'restore: expected a cache that allocates its pages itself, got one with pageTables: "caller"',
    );
  }

  fork(): void {
    throw new ShapeError(
      'fork: expected a cache that allocates its pages itself, got one with pageTables: "caller"; sequences share the pages that setPages() gives to both',
    );
  }

  takeCopies(): readonly PageCopy[] {
    return [];
  }

  returnCopies(): void {}
}

function checkNumbers(where: string, numbers: ArrayLike<number>, count: number): void {
  if (!isObject(numbers) || numbers.length !== count) {
    const got = describe(isObject(numbers) ? numbers.length : numbers);
    throw new ShapeError(`${where}: expected ${count} numbers, got ${got}`);
  }
}

/** The pages of each sequence, each of them once. */
function listsOf(table: CallerPages, options: SetPagesOptions, { batch, pages }: Sizes): number[][] {
  checkOptions('setPages', table, CALLER_PAGES);
  checkOptions('setPages', options, SET_PAGES_OPTIONS);
  const { indptr, indices } = table;
  checkNumbers('setPages: indptr', indptr, batch + 1);
  if (!isObject(indices))
    throw new ShapeError(`setPages: indices: expected numbers, got ${describe(indices)}`);
  checkWhole('setPages: indptr[0]', indptr[0]!, 0, 0);
  for (let b = 0; b < batch; b++) {
    checkWhole(`setPages: indptr[${b + 1}]`, indptr[b + 1]!, indptr[b]!, indices.length);
  }
  checkWhole(`setPages: indptr[${batch}]`, indptr[batch]!, indices.length, indices.length);
  return Array.from({ length: batch }, (_, b) => {
    const list = Array.from({ length: indptr[b + 1]! - indptr[b]! }, (_page, i) => indices[indptr[b]! + i]!);
    list.forEach((page, i) => checkWhole(`setPages: indices[${indptr[b]! + i}]`, page, 0, pages - 1));
    if (new Set(list).size === list.length) return list;
    const twice = list.find((page, i) => list.indexOf(page) < i);
    throw new ShapeError(`setPages: sequence ${b}: expected each page once, got page ${twice} twice`);
  });
}

/** Tokens of each sequence, new ones included. */
function totalsOf(
  { lastPageLen }: CallerPages,
  lists: readonly (readonly number[])[],
  { batch, pageSize, capacity }: Sizes,
): number[] {
  checkNumbers('setPages: lastPageLen', lastPageLen, batch);
  return lists.map(({ length }, b) => {
    const [least, most] = length === 0 ? [0, 0] : [1, pageSize];
    checkWhole(`setPages: lastPageLen[${b}]`, lastPageLen[b]!, least, most);
    const total = Math.max(0, length - 1) * pageSize + lastPageLen[b]!;
    checkWhole(`setPages: tokens of sequence ${b}`, total, 0, capacity);
    return total;
  });
}

function heldOf(totals: readonly number[], { newTokens }: SetPagesOptions): number[] {
  if (newTokens === undefined) return [...totals];
  checkNumbers('setPages: newTokens', newTokens, totals.length);
  return totals.map((total, b) => {
    checkWhole(`setPages: newTokens[${b}]`, newTokens[b]!, 0, total);
    return total - newTokens[b]!;
  });
}
