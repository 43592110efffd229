// freePages.ts: the pages of a cache that no sequence holds, in runs of pages that follow each other.

/** Pages `first` to `last`. */
interface Run {
  readonly first: number;
  readonly last: number;
}

/** What of a segment's pages is free. */
interface Segment {
  count: number;
  /** Last pages of its runs: in the i-th list of those of 2^i to 2^(i + 1) - 1 pages. */
  readonly runs: number[][];
}

/**
 * Free pages. A sequence goes on in the page behind its last one: pages that follow each other are read as contiguous slots are. Where it
 * cannot, it begins in the middle of about the longest run, with room to grow for it and for who holds the page before that run. A page
 * is taken and given in constant time.
 */
export class FreePages {
  readonly #segmentPages: number;
  readonly #segments: Segment[] = [];
  /** Of a run's first page 1 + its last one, of its last page 1 + its first one, of others 0. */
  readonly #otherEnd: Uint32Array;
  /** Where the last page of a run is in its list. */
  readonly #place: Uint32Array;
  #count: number;

  constructor(pages: number, segmentPages: number) {
    this.#count = pages;
    this.#segmentPages = segmentPages;
    this.#otherEnd = new Uint32Array(pages);
    this.#place = new Uint32Array(pages);
    for (let first = 0; first < pages; first += segmentPages) {
      const last = Math.min(pages, first + segmentPages) - 1;
      this.#segments.push({ count: last - first + 1, runs: [] });
      this.#add({ first, last });
    }
  }

  get count(): number {
    return this.#count;
  }

  /**
   * Takes the page behind `before` if that is free, else one in the same segment if that has any, else in the segment with the most: a step
   * dispatches its kernel for each segment that a sequence has pages in, and items end where they change.
   * @param before the sequence's page before it; undefined for its first
   * @param wanted how many pages the sequence is to get, this one included
   */
  take(before: number | undefined, wanted: number): number {
    const behind = before === undefined ? undefined : this.#runFrom(before + 1);
    if (behind) return this.#split(behind, behind.first);
    const own = before === undefined ? undefined : this.#segmentOf(before);
    const run = this.#longRun(own && own.count > 0 ? own : this.#fullest());
    return this.#split(run, this.#beginning(run, wanted));
  }

  give(page: number): void {
    const before = this.#isStart(page) ? undefined : this.#runTo(page - 1);
    const behind = this.#runFrom(page + 1);
    for (const run of [before, behind]) if (run) this.#remove(run);
    this.#add({ first: before?.first ?? page, last: behind?.last ?? page });
    this.#segmentOf(page).count++;
    this.#count++;
  }

  /** Takes a page of a run. */
  #split({ first, last }: Run, page: number): number {
    this.#remove({ first, last });
    if (page > first) this.#add({ first, last: page - 1 });
    if (page < last) this.#add({ first: page + 1, last });
    this.#segmentOf(page).count--;
    this.#count--;
    return page;
  }

  /** Where in a run a sequence begins that is to get so many pages: where they fit, if they do. Nobody grows into a segment's start. */
  #beginning({ first, last }: Run, wanted: number): number {
    const length = last - first + 1;
    if (this.#isStart(first)) return first;
    return first + Math.max(0, Math.min(Math.floor(length / 2), length - wanted));
  }

  #isStart(page: number): boolean {
    return page % this.#segmentPages === 0;
  }

  #segmentOf(page: number): Segment {
    return this.#segments[Math.floor(page / this.#segmentPages)]!;
  }

  #fullest(): Segment {
    return this.#segments.reduce((fullest, segment) => (segment.count > fullest.count ? segment : fullest));
  }

  /** A run of a segment that is at least half as long as its longest. */
  #longRun({ runs }: Segment): Run {
    const last = runs.findLast((list) => list.length > 0)!.at(-1)!;
    return this.#runTo(last)!;
  }

  /** The run that begins with a page behind one that is not free. */
  #runFrom(first: number): Run | undefined {
    const last = first < this.#otherEnd.length && !this.#isStart(first) ? this.#otherEnd[first]! - 1 : -1;
    return last < 0 ? undefined : { first, last };
  }

  /** The run that ends with a page before one that is not free. */
  #runTo(last: number): Run | undefined {
    const first = this.#otherEnd[last]! - 1;
    return first < 0 ? undefined : { first, last };
  }

  #add({ first, last }: Run): void {
    this.#otherEnd[first] = last + 1;
    this.#otherEnd[last] = first + 1;
    const list = this.#listOf({ first, last });
    this.#place[last] = list.length;
    list.push(last);
  }

  #remove({ first, last }: Run): void {
    const list = this.#listOf({ first, last });
    const moved = list.pop()!;
    if (moved !== last) {
      const place = this.#place[last]!;
      list[place] = moved;
      this.#place[moved] = place;
    }
    this.#otherEnd[first] = this.#otherEnd[last] = 0;
  }

  #listOf({ first, last }: Run): number[] {
    const size = 31 - Math.clz32(last - first + 1);
    return (this.#segmentOf(first).runs[size] ??= []);
  }
}
