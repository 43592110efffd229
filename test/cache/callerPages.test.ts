// callerPages.test.ts: caches whose pages the caller allocates: right whatever the table, and refused where it cannot be.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createDecoder,
  createKvCache,
  createStorage,
  readBack,
  ShapeError,
  uploadStorage,
  type CallerPages,
  type GqaDevice,
  type KvCache,
} from '../../src/index.ts';
import { CallerTables } from '../../src/cache/callerTables.ts';
import { normals } from '../../src/numbers/random.ts';
import { storeProblem } from '../../src/reference/problem.ts';
import { expectClose } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';

const device = await testDevice();

const SHAPE = { batch: 3, numKvHeads: 2, headDim: 16, capacity: 64, pageSize: 8, pages: 30 } as const;
const HEADS = SHAPE.batch * SHAPE.numKvHeads;
const Q_HEADS = 4;

const create = (more: object = {}) =>
  createKvCache(device, { ...SHAPE, pageTables: 'caller', kType: 'int8', vType: 'f16', layers: 2, ...more });

/** Lists of pages and tokens as compressed rows. */
function rowsOf(lists: readonly (readonly number[])[], totals: readonly number[]): CallerPages {
  const ends = lists.map((_, b) => lists.slice(0, b + 1).flat().length);
  const { pageSize } = SHAPE;
  const lastPageLen = totals.map((total, b) => (total === 0 ? 0 : total - (lists[b]!.length - 1) * pageSize));
  return { indptr: Uint32Array.of(0, ...ends), indices: lists.flat(), lastPageLen };
}

async function append(cache: KvCache, layer: number, rows: number, counts: readonly number[], seed: number) {
  const [k, v] = [
    normals(seed, HEADS * rows * SHAPE.headDim),
    normals(seed + 1, HEADS * rows * SHAPE.headDim),
  ];
  const buffers = { k: uploadStorage(device, 'k', k), v: uploadStorage(device, 'v', v) };
  await cache.append({ layer, ...buffers, numTokens: rows }, { numTokens: counts });
  return { k, v };
}

/** o and lse of a step over all tokens of the second layer. */
async function attend(
  on: GqaDevice,
  cache: KvCache,
  q: Float32Array<ArrayBuffer>,
  kvLens: readonly number[],
) {
  using decoder = await createDecoder(on, { cache, numQHeads: Q_HEADS });
  const [o, lse] = [
    createStorage(on, 'o', q.byteLength),
    createStorage(on, 'lse', SHAPE.batch * Q_HEADS * 4),
  ];
  const step = await decoder.bind({ layer: 1, q: uploadStorage(on, 'q', q), o, lse });
  step.run(decoder.plan({ kvLens }));
  const [gotO, gotLse] = await Promise.all([readBack(on, o), readBack(on, lse)]);
  return { o: new Float32Array(gotO), lse: new Float32Array(gotLse) };
}

describe('pages that the caller allocates', () => {
  test('steps of an engine that takes pages in any order, shares a prefix and swaps sequences', async () => {
    using cache = await create();
    expect(cache.freePages).toBeUndefined();
    const { capacity, headDim } = SHAPE;
    const k = new Float32Array(HEADS * capacity * headDim);
    const v = new Float32Array(HEADS * capacity * headDim);
    const put = (b: number, at: number, rows: number, from: { k: Float32Array; v: Float32Array }) => {
      for (let head = b * SHAPE.numKvHeads; head < (b + 1) * SHAPE.numKvHeads; head++) {
        const slice = (values: Float32Array) =>
          values.subarray(head * rows * headDim, (head + 1) * rows * headDim);
        k.set(slice(from.k), (head * capacity + at) * headDim);
        v.set(slice(from.v), (head * capacity + at) * headDim);
      }
    };
    const step = async (lists: number[][], totals: number[], newTokens: number[], seed: number) => {
      const held = totals.map((total, b) => total - newTokens[b]!);
      cache.setPages(rowsOf(lists, totals), { newTokens });
      expect([cache.kvLens(0), cache.kvLens(1)]).toEqual([held, held]);
      const rows = Math.max(...newTokens);
      for (const layer of [0, 1]) {
        const made = await append(cache, layer, rows, newTokens, seed);
        if (layer === 1) newTokens.forEach((count, b) => count > 0 && put(b, held[b]!, rows, made));
      }
      const q = normals(seed + 7, SHAPE.batch * Q_HEADS * headDim);
      const { o, lse } = await attend(device, cache, q, totals);
      const { pages: _pages, pageSize: _size, ...sizes } = SHAPE;
      const problem = {
        ...sizes,
        numQHeads: Q_HEADS,
        kType: 'int8',
        vType: 'f16',
        q,
        kvLens: totals,
      } as const;
      expectClose(storeProblem({ ...problem, k, v }), o, lse);
    };
    await step([[7, 3, 29], [0], []], [19, 5, 0], [19, 5, 0], 1);
    await step([[7, 3, 29], [0, 12], []], [20, 9, 0], [1, 4, 0], 11);
    // The third takes the first two pages of the first, which are full, and goes on in one of its own.
    k.copyWithin(4 * capacity * headDim, 0, 2 * capacity * headDim);
    v.copyWithin(4 * capacity * headDim, 0, 2 * capacity * headDim);
    await step(
      [
        [7, 3, 29],
        [0, 12],
        [7, 3, 28],
      ],
      [21, 9, 18],
      [1, 0, 2],
      21,
    );
    // The second goes, and its pages with it.
    await step([[7, 3, 29], [], [7, 3, 28, 0]], [24, 0, 26], [3, 0, 8], 31);
  });

  test('what cannot be is refused, and the table stays', async () => {
    using cache = await create();
    const good = rowsOf([[1, 2], [3], []], [9, 8, 0]);
    cache.setPages(good);
    const refused = (change: Partial<CallerPages>, message: string, newTokens?: number[]) => {
      const table = { ...good, ...change };
      expect(() => cache.setPages(table, newTokens && { newTokens })).toThrow(ShapeError);
      expect(() => cache.setPages(table, newTokens && { newTokens })).toThrow(message);
      expect(cache.kvLens()).toEqual([9, 8, 0]);
    };
    refused({ indptr: [0, 2, 3] }, 'setPages: indptr: expected 4 numbers, got 3');
    refused({ indptr: [1, 2, 3, 3] }, 'setPages: indptr[0]: expected');
    refused({ indptr: [0, 2, 1, 3] }, 'setPages: indptr[2]: expected a whole number from 2 to 3, got 1');
    refused({ indptr: [0, 2, 2, 2] }, 'setPages: indptr[3]: expected');
    refused({ indptr: [0, 2, 3, 4] }, 'setPages: indptr[3]: expected 3, got 4');
    refused({ indices: [1, 2, 30] }, 'setPages: indices[2]: expected a whole number from 0 to 29, got 30');
    refused({ indices: [1, -1, 3] }, 'setPages: indices[1]: expected');
    refused({ indices: [1, 2.5, 3] }, 'setPages: indices[1]: expected');
    refused({ indices: [4, 4, 3] }, 'setPages: sequence 0: expected each page once, got page 4 twice');
    refused(
      { lastPageLen: [0, 8, 0] },
      'setPages: lastPageLen[0]: expected a whole number from 1 to 8, got 0',
    );
    refused(
      { lastPageLen: [9, 8, 0] },
      'setPages: lastPageLen[0]: expected a whole number from 1 to 8, got 9',
    );
    refused({ lastPageLen: [1, 8, 1] }, 'setPages: lastPageLen[2]: expected 0, got 1');
    refused({ lastPageLen: [1, 8] }, 'setPages: lastPageLen: expected 3 numbers, got 2');
    refused({}, 'setPages: newTokens[1]: expected a whole number from 0 to 8, got 9', [0, 9, 0]);
    refused({}, 'setPages: newTokens: expected 3 numbers, got 1', [0]);
    const shared =
      'setPages: sequence 0: expected pages of its own for its new tokens, got page 2, which another';
    refused({ indices: [1, 2, 2] }, shared, [1, 0, 0]);
    refused({ indices: 5 } as unknown as CallerPages, 'setPages: indices: expected numbers, got 5');
    refused({ pages: 1 } as Partial<CallerPages>, 'setPages: there is no option pages');
    expect(() =>
      cache.setPages(rowsOf([Array.from({ length: 9 }, (_, i) => i), [], []], [65, 0, 0])),
    ).toThrow('setPages: tokens of sequence 0: expected a whole number from 0 to 64, got 65');
  });

  test('tokens without a page, forks, restores and pages of two are refused by name', async () => {
    using cache = await create();
    cache.setPages(rowsOf([[1, 2], [1, 2], []], [9, 9, 0]));
    const one = (counts: readonly number[]) => append(cache, 0, 1, counts, 1);
    await expect(one([1, 0, 0])).rejects.toThrow(
      'pages: sequence 0: expected at most the 9 tokens that setPages() gave pages for, got 10',
    );
    cache.truncate(8, { sequence: 0 });
    await expect(one([1, 0, 0])).rejects.toThrow('expected pages of its own for tokens 8 to 8, got page 2');
    await expect(cache.fork(0, 2)).rejects.toThrow('fork: expected a cache that allocates its pages itself');
    const saved = await cache.snapshot({ sequence: 1 });
    await expect(cache.restore(saved)).rejects.toThrow(
      'restore: expected a cache that allocates its pages itself',
    );
    expect(cache.kvLens()).toEqual([8, 9, 0]);
    using own = await createKvCache(device, SHAPE);
    expect(() => own.setPages(rowsOf([[], [], []], [0, 0, 0]))).toThrow('pageTables: "caller"');
    await own
      .restore(saved, { sequence: 0 })
      .catch((error: unknown) => expect(error).toBeInstanceOf(ShapeError));
    await expect(createKvCache(device, { ...SHAPE, pageTables: 'mine' as 'caller' })).rejects.toThrow(
      'cache: pageTables must be one of cache, caller',
    );
  });

  test('a plan of before is good while its pages are the first of the table', async () => {
    using cache = await create();
    using decoder = await createDecoder(device, { cache, numQHeads: Q_HEADS });
    const rows = createStorage(device, 'rows', SHAPE.batch * Q_HEADS * SHAPE.headDim * 4);
    const step = await decoder.bind({ q: rows, o: createStorage(device, 'o', rows.size) });
    cache.setPages(rowsOf([[1], [2], []], [8, 8, 0]));
    const plan = decoder.plan({ kvLens: [8, 8, 0] });
    cache.setPages(rowsOf([[1, 5], [2], [3]], [9, 8, 1]), { newTokens: [1, 0, 1] });
    step.run(plan);
    cache.setPages(rowsOf([[1, 5], [4], [3]], [9, 8, 1]));
    expect(() => step.run(plan)).toThrow('sequence 1: expected a plan made since its pages changed');
    expect(() => decoder.plan({ kvLens: [10, 8, 0] })).toThrow('expected at most the 9 tokens');
  });

  test('any table is taken exactly when it is one', () => {
    const sizes = { batch: 2, capacity: 40, pages: 6, pageSize: 8 };
    const lists = fc.tuple(...[0, 1].map(() => fc.array(fc.nat(6), { maxLength: 3 })));
    const wrong = fc.constantFrom(0, 0, 0, 1);
    const given = fc
      .record({
        lists,
        wrong,
        lastPageLen: fc.tuple(fc.nat(9), fc.nat(9)),
        newTokens: fc.tuple(fc.nat(6), fc.nat(6)),
      })
      .map(({ lists: [first, second], wrong: shift, ...rest }) => ({
        indptr: [0, first!.length + shift, first!.length + second!.length],
        indices: [...first!, ...second!],
        ...rest,
      }));
    const taken = { yes: 0, no: 0 };
    fc.assert(
      fc.property(given, ({ newTokens, ...table }) => {
        const { indptr, indices, lastPageLen } = table;
        const parts = [0, 1].map((b) => indices.slice(indptr[b], indptr[b + 1]));
        const totals = parts.map(
          (list, b) => (list.length > 0 ? (list.length - 1) * 8 : 0) + lastPageLen[b]!,
        );
        const isTable =
          indptr[1]! <= indptr[2]! &&
          indices.every((page) => page < 6) &&
          parts.every((list) => new Set(list).size === list.length) &&
          parts.every((list, b) =>
            list.length > 0 ? lastPageLen[b]! >= 1 && lastPageLen[b]! <= 8 : lastPageLen[b] === 0,
          ) &&
          totals.every((total, b) => newTokens[b]! <= total);
        const own = (b: number) => parts[b]!.slice(Math.floor((totals[b]! - newTokens[b]!) / 8));
        const isOwn = [0, 1].every(
          (b) => newTokens[b] === 0 || own(b).every((page) => !parts[1 - b]!.includes(page)),
        );
        const tables = new CallerTables(sizes);
        if (isTable && isOwn) {
          taken.yes++;
          expect(tables.set(table, { newTokens })).toEqual(totals.map((total, b) => total - newTokens[b]!));
          expect([tables.pagesOf(0), tables.pagesOf(1)]).toEqual(parts);
        } else {
          taken.no++;
          expect(() => tables.set(table, { newTokens })).toThrow(ShapeError);
        }
      }),
      { seed: 5, numRuns: 3000 },
    );
    expect(taken.yes).toBeGreaterThan(100);
    expect(taken.no).toBeGreaterThan(1000);
  });
});
