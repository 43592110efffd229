// crossing.test.ts: from which depth on attention outweighs the weights, of invented times.
import { describe, expect, test } from 'vitest';
import { crossings } from '../../../bench/report/crossing.ts';
import type { WholeRow } from '../../../bench/schema/wholeSchema.ts';

/** A row whose weights take 300, and attention so long. */
function row(depth: number, attention: number): WholeRow {
  const time = (median: number) => ({ bytes: 1, dispatches: 1, time: { median } });
  return {
    id: `kv8_b1_d${depth}`,
    variant: 'gqa',
    params: { kvHeads: 8, batch: 1, depth },
    parts: {
      attention: time(attention),
      projections: time(100),
      mlp: time(150),
      head: time(50),
      embedding: time(9),
    },
  } as unknown as WholeRow;
}

describe('crossings', () => {
  test.each([
    ['between two depths', [row(1000, 200), row(2000, 400)], 'from about 1500 tokens on'],
    [
      'beyond the last',
      [row(1000, 100), row(2000, 200)],
      'from about 3000 tokens on, if it grows as between',
    ],
    ['at all', [row(1000, 400), row(2000, 500)], 'at every depth measured'],
    ['far beyond', [row(1000, 100), row(2000, 101)], 'up to 32000 tokens at least'],
  ])('%s', (_, rows, text) => {
    expect(crossings(rows)).toEqual([expect.stringContaining(text)]);
    expect(crossings(rows.toReversed())).toEqual(crossings(rows));
  });

  test('nothing of a single depth, of times that shrink, and of rows without parts', () => {
    expect(crossings([row(1000, 100)])).toEqual([]);
    expect(crossings([row(1000, 100), row(2000, 90)])).toEqual([]);
    const { parts: _, ...failed } = row(2000, 200);
    expect(crossings([row(1000, 100), failed])).toEqual([]);
  });
});
