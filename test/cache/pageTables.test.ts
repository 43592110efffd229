// pageTables.test.ts: which pages sequences hold: taken, shared, copied before they are written to, and free again.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FreePages } from '../../src/cache/freePages.ts';
import { PageTables } from '../../src/cache/pageTables.ts';
import { OutOfPagesError } from '../../src/index.ts';
import { failure } from '../support/failure.ts';

const PAGE = 8;

const range = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

/** Grows one of up to three sequences from `held` to `wanted` tokens. */
function grow(tables: PageTables, b: number, held: number, wanted: number): void {
  const at = (x: number) => [0, 1, 2].map((i) => (i === b ? x : 0));
  tables.reserve(at(held), at(wanted));
}

describe('pages', () => {
  test('are taken as tokens need them, and free again', () => {
    const tables = new PageTables(2, 4, PAGE);
    grow(tables, 0, 0, 8);
    expect(tables.pagesOf(0)).toHaveLength(1);
    grow(tables, 0, 8, 9);
    expect(tables.pagesOf(0)).toHaveLength(2);
    expect(tables.free).toBe(2);
    tables.shorten(0, 8);
    expect(tables.free).toBe(3);
    tables.shorten(0, 0);
    expect(tables.free).toBe(4);
  });

  test('too few: the error says how many are missing, and nothing has changed', async () => {
    const tables = new PageTables(2, 3, PAGE);
    grow(tables, 0, 0, 9);
    const error = await failure(OutOfPagesError, () => tables.reserve([9, 0], [25, 9]));
    // Two more for each, and one is free.
    expect(error.missing).toBe(3);
    expect(error.message).toBe('kv cache: 3 of its 3 pages of 8 tokens are missing for the new tokens');
    expect([tables.pagesOf(0).length, tables.pagesOf(1).length, tables.free]).toEqual([2, 0, 1]);
  });

  test('a fork shares them until one of the two grows into the last; that one gets a copy', () => {
    const tables = new PageTables(2, 4, PAGE);
    grow(tables, 0, 0, 12);
    tables.fork(0, 1, 12);
    expect(tables.pagesOf(1)).toEqual(tables.pagesOf(0));
    expect(tables.free).toBe(2);
    const [first, last] = tables.pagesOf(0);
    grow(tables, 1, 12, 13);
    expect(tables.pagesOf(0)).toEqual([first, last]);
    expect(tables.pagesOf(1)[0]).toBe(first);
    expect(tables.pagesOf(1)[1]).not.toBe(last);
    expect(tables.storedPages(1)).toEqual([first, last]); // until the copy was recorded
    expect(tables.takeCopies(undefined)).toEqual([{ from: last, to: tables.pagesOf(1)[1] }]);
    expect(tables.storedPages(1)).toEqual(tables.pagesOf(1));
    grow(tables, 0, 12, 13); // now its own
    expect(tables.takeCopies(undefined)).toEqual([]);
  });

  test('a fork of whole pages needs no copy', () => {
    const tables = new PageTables(2, 3, PAGE);
    grow(tables, 0, 0, 8);
    tables.fork(0, 1, 8);
    grow(tables, 1, 8, 9);
    expect(tables.takeCopies(undefined)).toEqual([]);
    tables.shorten(0, 0);
    expect(tables.free).toBe(1); // the first page is still held
  });

  test('of two that grow into one shared page only the first needs another', () => {
    const tables = new PageTables(2, 2, PAGE);
    grow(tables, 0, 0, 4);
    tables.fork(0, 1, 4);
    tables.reserve([4, 4], [5, 5]);
    expect(tables.free).toBe(0);
    expect(new Set([...tables.pagesOf(0), ...tables.pagesOf(1)]).size).toBe(2);
  });

  test('a copy of what is to become a copy is one of the first page, which may be held no more', () => {
    const tables = new PageTables(3, 4, PAGE);
    tables.reserve([0, 0, 0], [4, 0, 0]);
    tables.fork(0, 1, 4);
    tables.reserve([4, 4, 0], [4, 5, 0]);
    tables.fork(1, 2, 4);
    tables.reserve([4, 4, 4], [4, 4, 5]);
    const [first, third] = [tables.pagesOf(0)[0]!, tables.pagesOf(2)[0]!];
    expect(tables.storedPages(1)).toEqual([first]);
    expect(tables.storedPages(2)).toEqual([first]);
    tables.shorten(1, 0);
    expect(tables.takeCopies(undefined)).toEqual([{ from: first, to: third }]);
  });

  test('a copy whose sequence is gone before it was recorded is none', () => {
    const tables = new PageTables(2, 4, PAGE);
    grow(tables, 0, 0, 4);
    tables.fork(0, 1, 4);
    grow(tables, 1, 4, 5);
    tables.shorten(1, 0);
    expect(tables.takeCopies(undefined)).toEqual([]);
  });

  describe('copies that were recorded into an encoder which is lost', () => {
    /** The second of three sequences of four tokens is a fork of the first, and has recorded the copy of its page. */
    function lost() {
      const tables = new PageTables(3, 4, PAGE);
      grow(tables, 0, 0, 4);
      tables.fork(0, 1, 4);
      grow(tables, 1, 4, 5);
      const fate = { submitted: false };
      const [copy] = tables.takeCopies(fate);
      return { tables, fate, copy: copy! };
    }

    test('are not made again to a page that another sequence has since', () => {
      const { tables, copy } = lost();
      tables.shorten(1, 0);
      grow(tables, 2, 0, 3);
      expect(tables.pagesOf(2)).toEqual([copy.to]);
      tables.returnCopies();
      expect(tables.hasCopies).toBe(false);
      expect(tables.storedPages(2)).toEqual([copy.to]);
    });

    test('are made again of a page that nobody holds, which no other sequence got in the meantime', () => {
      const { tables, copy } = lost();
      tables.shorten(0, 0);
      expect(tables.free).toBe(3);
      grow(tables, 2, 0, 2 * PAGE);
      expect(tables.pagesOf(2)).not.toContain(copy.from);
      tables.returnCopies();
      expect(tables.takeCopies(undefined)).toEqual([copy]);
      expect(tables.free).toBe(1);
    });

    test('are made again though they were lost before, of a page that nobody holds', () => {
      const { tables, fate, copy } = lost();
      tables.shorten(0, 0);
      tables.returnCopies();
      expect(tables.takeCopies(fate)).toEqual([copy]);
      grow(tables, 2, 0, 2 * PAGE);
      expect(tables.pagesOf(2)).not.toContain(copy.from);
      tables.returnCopies();
      expect(tables.takeCopies(undefined)).toEqual([copy]);
    });

    test('keep no page that there is no other for, nor any once they were submitted', () => {
      for (const submitted of [false, true]) {
        const { tables, fate, copy } = lost();
        tables.shorten(0, 0);
        fate.submitted = submitted;
        grow(tables, 2, 0, submitted ? PAGE : 3 * PAGE);
        expect(tables.pagesOf(2).at(-1)).toBe(copy.from);
        tables.returnCopies();
        expect(tables.hasCopies).toBe(false);
      }
    });

    test('are of the first page, where one is of another’s copy that is gone', () => {
      const { tables, fate, copy } = lost();
      tables.fork(1, 2, 5);
      grow(tables, 2, 5, 6);
      const [second] = tables.takeCopies(fate);
      expect(second).toEqual({ from: copy.to, to: tables.pagesOf(2)[0] });
      tables.shorten(0, 0);
      tables.shorten(1, 0);
      tables.returnCopies();
      expect(tables.storedPages(2)).toEqual([copy.from]);
      expect(tables.takeCopies(undefined)).toEqual([{ from: copy.from, to: second!.to }]);
      expect(tables.free).toBe(3);
    });
  });

  test('a version changes when pages are not only more than before', () => {
    const tables = new PageTables(2, 4, PAGE);
    grow(tables, 0, 0, 12);
    expect(tables.versions).toEqual([0, 0]);
    tables.fork(0, 1, 12);
    const forked = tables.versions[1]!;
    grow(tables, 1, 12, 13);
    expect(tables.versions).toEqual([0, forked + 1]);
    tables.shorten(0, 4);
    expect(tables.versions[0]).toBe(1);
  });
});

describe('pages follow each other', () => {
  const isRun = (pages: readonly number[]) => pages.every((page, i) => page === pages[0]! + i);
  const all = <T>(batch: number, value: T) => Array.from({ length: batch }, () => value);
  const listsOf = (tables: PageTables, batch: number) => range(0, batch).map((b) => tables.pagesOf(b));

  /** Sequences that each grow to so many pages, one after the other at each token. */
  function grownInTurns(batch: number, pages: number, each: number): PageTables {
    const tables = new PageTables(batch, pages, PAGE);
    for (let held = 0; held < each * PAGE; held++) tables.reserve(all(batch, held), all(batch, held + 1));
    return tables;
  }

  test('of one sequence, up to the whole pool', () =>
    expect(grownInTurns(1, 100, 100).pagesOf(0)).toEqual(range(0, 100)));

  test.each([2, 4, 8])('of %i sequences that grow in turns until the pool is full', (batch) =>
    expect(listsOf(grownInTurns(batch, batch * 16, 16), batch).map(isRun)).toEqual(all(batch, true)),
  );

  test('of sequences of any number that grow in turns, but where they meet', () => {
    const lists = listsOf(grownInTurns(6, 6 * 64, 64), 6);
    const breaks = lists.map(
      (pages) => pages.filter((page, i) => i > 0 && page !== pages[i - 1]! + 1).length,
    );
    expect(Math.max(...breaks)).toBeLessThanOrEqual(3);
  });

  test('of sequences that come whole', () => {
    const tables = new PageTables(3, 40, PAGE);
    for (const b of [0, 1, 2]) grow(tables, b, 0, 12 * PAGE);
    expect(listsOf(tables, 3).map(isRun)).toEqual([true, true, true]);
  });

  test('behind a page that others began to copy', () => {
    const tables = new PageTables(2, 8, PAGE);
    grow(tables, 0, 0, 12);
    tables.fork(0, 1, 12);
    grow(tables, 1, 12, 13);
    grow(tables, 0, 12, 30);
    expect(tables.pagesOf(0)).toEqual([0, 1, 2, 3]);
  });

  test('within their segment, and go on in it as long as it has pages', () => {
    const tables = new PageTables(2, 12, PAGE, 6);
    tables.reserve(all(2, 0), all(2, 3 * PAGE));
    tables.reserve(all(2, 3 * PAGE), all(2, 5 * PAGE));
    expect(listsOf(tables, 2)).toEqual([range(0, 5), range(6, 5)]);
    grow(tables, 0, 5 * PAGE, 7 * PAGE);
    expect(tables.pagesOf(0)).toEqual([...range(0, 6), 11]);
  });
});

test('no page is lost or held by two that may write to it, whatever happens', () => {
  const step = fc.tuple(fc.constantFrom('grow', 'fork', 'shorten'), fc.nat(3), fc.nat(3), fc.nat(40));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(12, 5), (steps, segmentPages) => {
      const tables = new PageTables(4, 12, PAGE, segmentPages);
      const lens = [0, 0, 0, 0];
      for (const [what, a, b, n] of steps) {
        if (what === 'grow') {
          const wanted = lens.map((kvLen, i) => kvLen + (i === a ? n : 0));
          try {
            tables.reserve(lens, wanted);
            lens[a]! += n;
          } catch (error) {
            if (!(error instanceof OutOfPagesError)) throw error;
          }
        } else if (what === 'fork' && a !== b) {
          tables.fork(a, b, lens[a]!);
          lens[b] = lens[a]!;
        } else if (what === 'shorten') {
          lens[a] = Math.min(lens[a]!, n);
          tables.shorten(a, lens[a]);
        }
        tables.takeCopies(undefined);
        const held = new Set(lens.flatMap((_, i) => [...tables.pagesOf(i)]));
        expect(held.size + tables.free).toBe(12);
        for (const [i, kvLen] of lens.entries()) {
          const pages = tables.pagesOf(i);
          expect(new Set(pages).size).toBe(pages.length);
          expect(pages.length).toBe(Math.ceil(kvLen / PAGE));
        }
      }
      for (const b of lens.keys()) tables.shorten(b, 0);
      grow(tables, 0, 0, 12 * PAGE);
      expect(tables.pagesOf(0)).toEqual(range(0, 12));
    }),
    { seed: 13, numRuns: 200 },
  );
});

test('a free page is taken once, however pages come back', () => {
  const step = fc.record({ isTaken: fc.boolean(), at: fc.nat(), wanted: fc.integer({ min: 1, max: 9 }) });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 150 }),
      fc.integer({ min: 5, max: 40 }),
      (steps, segmentPages) => {
        const pages = new FreePages(40, segmentPages);
        const held: number[] = [];
        const take = (before: number | undefined, wanted: number) => {
          const page = pages.take(before, wanted);
          if (held.includes(page)) throw new Error(`page ${page} was taken twice`);
          held.push(page);
        };
        for (const { isTaken, at, wanted } of steps) {
          if (!isTaken && held.length > 0) pages.give(held.splice(at % held.length, 1)[0]!);
          else if (pages.count > 0) take(at % 2 === 0 ? held.at(-1) : undefined, wanted);
        }
        while (pages.count > 0) take(undefined, 1);
        expect(held.toSorted((a, b) => a - b)).toEqual(range(0, 40));
      },
    ),
    { seed: 14, numRuns: 300 },
  );
});
