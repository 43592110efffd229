// counts.test.ts: what a round of the registers kernel costs, against numbers worked by hand.
import { describe, expect, test } from 'vitest';
import { countsTable, roundCounts } from '../../../bench/studies/counts.ts';

describe('roundCounts', () => {
  // D 128 of f16: 16 words to a row, one per lane; two keys ahead; four rows. Per key and lane: 8 elements of K and of V,
  // times four rows. Butterfly of 8 values over 16 lanes: 4 + 2 + 1, and 1 more for the lane that is left; the maximum of
  // two keys 1; a factor for each row 4; a weight for each row and key 8.
  test('groups of four, f16', () => {
    expect(roundCounts(4, 'f16')).toMatchObject({
      keys: 16,
      words: 4,
      bytesPerByte: 1,
      products: 2 * 2 * 8 * 4,
      exchanges: 7 + 1 + 1 + 4 + 8,
      barriers: 0,
    });
  });

  test('K and V are asked for once by each of the teams that share a group', () => {
    expect(roundCounts(1, 'f16').bytesPerByte).toBe(1);
    expect(roundCounts(8, 'f16').bytesPerByte).toBe(1);
    expect(roundCounts(32, 'f16').bytesPerByte).toBe(4);
  });

  test.each([1, 4, 8, 32])('no barrier in the loop of a group of %i', (group) => {
    for (const type of ['f16', 'int8', 'int4'] as const) expect(roundCounts(group, type).barriers).toBe(0);
  });

  test('as a table', () => {
    expect(countsTable().split('\n')).toHaveLength(2 + 12);
  });
});
