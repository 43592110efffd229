// speedUp.test.ts: which rows have a base to be held against, and what is said of rows far from their ideal.
import { describe, expect, test } from 'vitest';
import type { BenchRow } from '../../../bench/schema/schema.ts';
import {
  farFromIdeal,
  roughSpeedUps,
  speedUp,
  speedUpCell,
  timePartsSentence,
} from '../../../bench/report/speedUp.ts';
import { NO_TIME, NOT_RUN, result, row, steady, WRONG } from '../../support/benchResult.ts';

const at = (kvHeads: number, ns: number, more: Partial<BenchRow> = {}) =>
  row(kvHeads, 4096, steady(ns), more);

const mha = at(32, 262_144);
const gqa = at(8, 65_536);
const mqa = at(1, 40_960);

describe('a speed-up', () => {
  test('is against the MHA row of the same depth, kernel and types', () => {
    const other = row(32, 64, steady(1));
    expect(speedUp([other, gqa, mha], gqa)).toEqual({ baseline: mha, real: 4, ideal: 4, settled: true });
    expect([mha, gqa, mqa].map((each) => speedUpCell([mha, gqa, mqa], each))).toEqual([
      '1.00×',
      '4.00× (4.00×)',
      '6.40× (32.0×)',
    ]);
  });

  test('is not against the row with the most KV heads that happens to be there', () => {
    expect([gqa, mqa].map((each) => speedUpCell([gqa, mqa], each))).toEqual(['—', '—']);
  });

  test.each<[string, Partial<BenchRow>]>([
    ['is wrong', WRONG],
    ['did not run', NOT_RUN],
    ['has no time that its clock could tell', NO_TIME],
  ])('is not against an MHA row that %s', (_, more) => {
    const base = at(32, 262_144, more);
    expect(speedUp([base, gqa], gqa)).toBeUndefined();
    expect(speedUp([base, gqa], base)).toBeUndefined();
  });

  test.each([
    [{ warnings: ['noisy'] }, {}],
    [{}, { warnings: ['noisy'] }],
  ] as const)('is marked where one of the two times did not settle', (base, own) => {
    const rows = [at(32, 262_144, base), at(8, 65_536, own)];
    expect(speedUpCell(rows, rows[1]!)).toBe('~4.00× (4.00×)');
    expect(roughSpeedUps(rows, rows)).toEqual([
      '~ marks a speed-up of two times that did not both settle, or have fewer than 6 samples.',
    ]);
    expect(roughSpeedUps([mha, gqa], [mha, gqa])).toEqual([]);
    expect(farFromIdeal([...rows, mqa]).filter((each) => rows.includes(each))).toEqual([]);
  });

  test('is not against another model, batch, capacity, type, kernel or state of the caches', () => {
    const { params } = mha;
    for (const change of [
      { model: 'other' },
      { batch: 2 },
      { capacity: 8192 },
      { kType: 'f32' },
      { kernel: 'plain' },
      { cache: 'hot' },
      { requests: '1q1s4k' },
    ] as const) {
      const base = { ...mha, params: { ...params, ...change } };
      expect(speedUp([base, gqa], gqa)).toBeUndefined();
    }
  });

  test('of a row that reads nothing is none', () => {
    const empty = at(8, 65_536, { bytes: { kvRead: 0, partial: 0 } });
    expect(speedUpCell([mha, empty], empty)).toBe('—');
  });
});

describe('a row far from its ideal', () => {
  const { ceiling } = result([]).context;

  test('is the one with the fewest KV heads, and only a cold one', () => {
    expect(farFromIdeal([mha, gqa, mqa])).toEqual([mqa]);
    expect(farFromIdeal([mha, gqa, { ...mqa, cold: false }])).toEqual([]);
    expect(farFromIdeal([{ ...mha, cold: false }, gqa, mqa])).toEqual([]);
    expect(farFromIdeal([gqa, mqa])).toEqual([]);
  });

  test('has its parts said beside those of MHA', () => {
    // 2 MiB at 512 bytes per ns are 4096 ns; 40,960 - 4096 = 36,864 ns, 90 %. MHA: 262,144 - 131,072.
    expect(timePartsSentence([mha, gqa, mqa], ceiling, mqa)).toBe(
      'mqa f16 @ d4096 reads 2 MiB, 4.10 µs at the ceiling; the other 36.9 µs (90 %; mha: 131 µs) shrank less than the bytes, ' +
        'so it gets 6.40× and not 32.0×.',
    );
  });
});
