// rowLists.test.ts: rowLists: every row once, in the list of its id, lists by id and rows in order.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rowLists } from '../../src/numbers/rowLists.ts';

test('rows of a few ids', () => {
  expect(rowLists(Uint32Array.of(7, 2, 7, 0, 2, 7))).toEqual({
    entries: Uint32Array.of(0, 0, 1, 2, 1, 3, 7, 3, 6),
    order: Uint32Array.of(3, 1, 4, 0, 2, 5),
  });
});

test('no rows, one row, the greatest id', () => {
  expect(rowLists([])).toEqual({ entries: new Uint32Array(), order: new Uint32Array() });
  expect(rowLists([0xffffffff])).toEqual({
    entries: Uint32Array.of(0xffffffff, 0, 1),
    order: Uint32Array.of(0),
  });
});

test('any ids', () => {
  const ids = fc.array(fc.oneof(fc.nat(5), fc.nat(0xffffffff)), { maxLength: 200 });
  fc.assert(
    fc.property(ids, (list) => {
      const { entries, order } = rowLists(list);
      const found = list.map(() => -1);
      let [end, before] = [0, -1];
      for (let i = 0; i < entries.length; i += 3) {
        const [id, first, last] = entries.subarray(i, i + 3) as unknown as [number, number, number];
        expect([id > before, first, last > first]).toEqual([true, end, true]);
        [end, before] = [last, id];
        const rows = order.subarray(first, last);
        expect([...rows]).toEqual([...rows].toSorted((a, b) => a - b));
        for (const row of rows) found[row] = id;
      }
      expect(end).toBe(list.length);
      expect(found).toEqual(list);
    }),
    { seed: 1 },
  );
});
