// freePages.ts: the pages of a cache that no sequence holds, by the segment that they lie in.

/** Stacks of free pages: of each segment the lowest is taken first, then the one that was given back last. */
export class FreePages {
  readonly #segmentPages: number;
  readonly #stacks: number[][] = [];
  #count: number;

  constructor(pages: number, segmentPages: number) {
    this.#segmentPages = segmentPages;
    this.#count = pages;
    for (let first = 0; first < pages; first += segmentPages) {
      const last = Math.min(pages, first + segmentPages) - 1;
      this.#stacks.push(Array.from({ length: last - first + 1 }, (_, i) => last - i));
    }
  }

  get count(): number {
    return this.#count;
  }

  /**
   * Takes one, in the segment of `near` if that has one, else in the segment with the most: a step dispatches its kernel for each
   * segment that a sequence has pages in, and items end where they change.
   */
  take(near: number | undefined): number {
    const nearest = near === undefined ? undefined : this.#stacks[Math.floor(near / this.#segmentPages)];
    const stack = nearest && nearest.length > 0 ? nearest : this.#fullest();
    this.#count--;
    return stack.pop()!;
  }

  #fullest(): number[] {
    let fullest = this.#stacks[0]!;
    for (const stack of this.#stacks) if (stack.length > fullest.length) fullest = stack;
    return fullest;
  }

  give(page: number): void {
    this.#stacks[Math.floor(page / this.#segmentPages)]!.push(page);
    this.#count++;
  }
}
