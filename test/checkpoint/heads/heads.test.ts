// heads.test.ts: which heads go where, and carrying it out on tensors of every layout.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Part } from '../../../src/checkpoint/heads/attentionModule.ts';
import { headRows, mixTensor, plainMaps, targetShape } from '../../../src/checkpoint/heads/headMix.ts';
import { checkKvHeads, keepsQueries, regroup, regroupAs } from '../../../src/checkpoint/heads/heads.ts';
import { slotsOf, viewOf, type SlotOrder } from '../../../src/models/families/headSlots.ts';
import { ShapeError } from '../../../src/device/errors.ts';
import { message } from '../../support/failure.ts';

const names = (order: SlotOrder, numQHeads: number, numKvHeads: number) =>
  slotsOf(order, { numQHeads, numKvHeads })
    .map(({ role, head }) => `${role}${head}`)
    .join(' ');

describe('slots', () => {
  test('of one role, fused in blocks, fused by KV head', () => {
    expect(names('q', 4, 2)).toBe('q0 q1 q2 q3');
    expect(names('v', 4, 2)).toBe('v0 v1');
    expect(names('o', 4, 2)).toBe('o0 o1 o2 o3');
    expect(names('qkv', 4, 2)).toBe('q0 q1 q2 q3 k0 k1 v0 v1');
    expect(names('grouped', 4, 2)).toBe('q0 q1 k0 v0 q2 q3 k1 v1');
    expect(names('grouped', 2, 2)).toBe('q0 k0 v0 q1 k1 v1');
  });

  test('in a tensor along either axis', () => {
    expect(viewOf([12, 5], 0, 3)).toEqual({ outer: 1, slots: 4, rows: 3, inner: 5 });
    expect(viewOf([5, 12], 1, 3)).toEqual({ outer: 5, slots: 4, rows: 3, inner: 1 });
    expect(viewOf([12], 0, 3)).toEqual({ outer: 1, slots: 4, rows: 3, inner: 1 });
  });
});

describe('regrouping', () => {
  test('neighbours are merged, heads repeated, query heads stay', () => {
    const fewer = regroup({ numQHeads: 8, numKvHeads: 4 }, 2, 'contiguous');
    expect(fewer.members).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(fewer.target).toEqual({ numQHeads: 8, numKvHeads: 2 });
    expect(keepsQueries(fewer)).toBe(true);
    expect(regroup({ numQHeads: 8, numKvHeads: 2 }, 4, 'contiguous').members).toEqual([[0], [0], [1], [1]]);
  });

  test('h mod Hkv is put in order', () => {
    const tiled = regroup({ numQHeads: 6, numKvHeads: 3 }, 3, 'tiled');
    expect(tiled.kvHeadOf).toEqual([0, 1, 2, 0, 1, 2]);
    expect(tiled.queryOrder).toEqual([0, 3, 1, 4, 2, 5]);
    expect(regroup({ numQHeads: 6, numKvHeads: 3 }, 6, 'tiled').queryOrder).toEqual([0, 3, 1, 4, 2, 5]);
    expect(keepsQueries(regroup({ numQHeads: 6, numKvHeads: 6 }, 3, 'tiled'))).toBe(true);
  });

  test('query head h of the target reads what its source head read: any heads, any groups', () => {
    const shape = fc.record({
      kv: fc.integer({ min: 1, max: 6 }),
      g: fc.integer({ min: 1, max: 4 }),
      tiled: fc.boolean(),
    });
    fc.assert(
      fc.property(shape, fc.infiniteStream(fc.nat()), ({ kv, g, tiled }, stream) => {
        const source = { numQHeads: kv * g, numKvHeads: kv };
        const order = Array.from({ length: kv }, (_, s) => ({ s, key: stream.next().value }));
        const heads = order.toSorted((a, b) => a.key - b.key).map(({ s }) => s);
        const groups = [1, 2, 3, 4, 5, 6].filter((n) => kv % n === 0);
        const size = groups[stream.next().value % groups.length]!;
        const members = Array.from({ length: kv / size }, (_, t) => heads.slice(t * size, (t + 1) * size));
        const { queryOrder, kvHeadOf, target } = regroupAs(source, members, tiled ? 'tiled' : 'contiguous');
        expect(queryOrder.toSorted((a, b) => a - b)).toEqual(Array.from({ length: kv * g }, (_, h) => h));
        queryOrder.forEach((from, h) => {
          const group = members[Math.floor(h / (target.numQHeads / target.numKvHeads))]!;
          expect(group).toContain(kvHeadOf[from]);
        });
      }),
    );
  });

  test.each([
    [8, 8, 3, 'query heads (8) must be a multiple of KV heads (3)'],
    [8, 8, 16, 'KV heads (16) must be at most the number of query heads (8)'],
    [12, 6, 4, 'KV heads: 6 cannot become 4: the larger must be a multiple of the smaller'],
    [12, 4, 6, 'KV heads: 4 cannot become 6: the larger must be a multiple of the smaller'],
  ])('%d query heads, %d to %d KV heads is refused', async (numQHeads, numKvHeads, target, expected) => {
    expect(await message(ShapeError, () => checkKvHeads({ numQHeads, numKvHeads }, target))).toBe(expected);
  });
});

/** A weight of f32 whose element at [row, column] is 100 row + column; heads of 2 rows along `axis`. */
function part(order: SlotOrder, shape: readonly number[], axis: 0 | 1): { part: Part; bytes: Uint8Array } {
  const tensor = { name: 'w', dtype: 'F32', shape } as const;
  const [rows, columns] = [shape[0]!, shape[1] ?? 1];
  const values = Float32Array.from(
    { length: rows * columns },
    (_, i) => 100 * Math.floor(i / columns) + (i % columns),
  );
  return {
    part: { tensor, order, axis, view: viewOf(shape, axis, 2), kind: 'weight', isHead: true },
    bytes: new Uint8Array(values.buffer),
  };
}

const floats = (bytes: Uint8Array) => Array.from(new Float32Array(bytes.buffer));

describe('tensors', () => {
  const half = regroup({ numQHeads: 4, numKvHeads: 4 }, 2, 'contiguous');

  test('rows of k are averaged', () => {
    const k = part('k', [8, 3], 0);
    expect(targetShape(k.part, half)).toEqual([4, 3]);
    const out = mixTensor(k.part, k.bytes, half, plainMaps('mean', half, 0));
    expect(floats(out)).toEqual([100, 101, 102, 200, 201, 202, 500, 501, 502, 600, 601, 602]);
  });

  test('columns of a fused, transposed projection: q stays, k and v are averaged', () => {
    const qkv = part('qkv', [2, 24], 1);
    expect(targetShape(qkv.part, half)).toEqual([2, 16]);
    const out = floats(mixTensor(qkv.part, qkv.bytes, half, plainMaps('mean', half, 0)));
    expect(out.slice(0, 16)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 13, 14, 17, 18, 21, 22]);
    expect(out.slice(16)).toEqual(out.slice(0, 16).map((x) => x + 100));
  });

  test('first takes the first of each group, bytes and all', () => {
    const k = part('k', [8, 1], 0);
    expect(floats(mixTensor(k.part, k.bytes, half, plainMaps('first', half, 0)))).toEqual([0, 100, 400, 500]);
  });

  test('random is of the size of what it replaces, the same for the same seed, a bias begins at 0', () => {
    const many = part('k', [8, 500], 0);
    const draw = (seed: number) =>
      floats(mixTensor(many.part, many.bytes, half, plainMaps('random', half, seed)));
    const rms = (values: readonly number[]) =>
      Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    const group = floats(many.bytes).slice(0, 2000);
    expect(rms(draw(1).slice(0, 1000)) / rms(group)).toBeCloseTo(1, 1);
    expect(draw(1).slice(0, 1000)).not.toEqual(draw(1).slice(1000));
    const bias = part('k', [8], 0);
    expect(floats(mixTensor(bias.part, bias.bytes, half, plainMaps('random', half, 1)))).toEqual([
      0, 0, 0, 0,
    ]);
  });

  test('a matrix acts on the rows of a head, whichever axis they lie along', () => {
    const swap = Float64Array.of(0, 1, 1, 0);
    const maps = {
      ...plainMaps('mean', half, 0),
      k: half.members.map((heads) => ({ heads, matrices: heads.map(() => swap) })),
    };
    const rows = part('k', [8, 1], 0);
    expect(floats(mixTensor(rows.part, rows.bytes, half, maps))).toEqual([400, 200, 1200, 1000]);
    const columns = part('k', [1, 8], 1);
    expect(floats(mixTensor(columns.part, columns.bytes, half, maps))).toEqual([4, 2, 12, 10]);
  });

  test('rows of a head, whichever axis they lie along', () => {
    const rows = part('k', [4, 3], 0);
    expect(Array.from(headRows(rows.part, rows.bytes, 1))).toEqual([200, 201, 202, 300, 301, 302]);
    const columns = part('k', [3, 4], 1);
    expect(Array.from(headRows(columns.part, columns.bytes, 1))).toEqual([2, 102, 202, 3, 103, 203]);
  });
});
