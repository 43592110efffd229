// cliffs.test.ts: jumps worked by hand, and their table; and that a measurement has both sides, whatever their times.
import { describe, expect, test } from 'vitest';
import {
  jumpOf,
  keyGrowth,
  measureCliffs,
  type Cliff,
  type LoadCliffs,
} from '../../../bench/studies/cliffs.ts';
import { cliffsReport, hasCliff } from '../../../bench/studies/cliffsReport.ts';
import { findThresholds, loadAt, type LoadShape } from '../../../bench/studies/thresholds.ts';
import { planContext } from '../../../src/decode/planContext.ts';
import { profileOf } from '../../../src/kernels/profile.ts';
import { noisy, steady } from '../../support/benchResult.ts';
import { testDevice } from '../../support/device.ts';
import { GPU_FACTS } from '../../support/deviceFacts.ts';

const LOAD: LoadShape = { heads: 8, kvHeads: 1, headDim: 64, type: 'f16', shares: [1] };

function thresholdsOf(load: LoadShape, upTo: number) {
  return findThresholds(load, upTo, (capacity) => {
    const { shape, layout } = loadAt(load, capacity);
    return { ...planContext(shape, layout, GPU_FACTS), wholeLen: 128, minSplitLen: 128 };
  });
}

// 128 and 160 keys, 256 and 288.
const [first, second] = thresholdsOf(LOAD, 288) as [Cliff['threshold'], Cliff['threshold']];

describe('jumpOf', () => {
  test.each([
    // All fixed cost, all per key, and between.
    [100, 100, 0.8, 1, 'smooth'],
    [100, 125, 1, 1, 'smooth'],
    [100, 110, 0.88, 0.9091, 'smooth'],
    // 14 and 16 % more than the keys explain.
    [100, 142.5, 1.14, 1.14, 'smooth'],
    [100, 145, 1.16, 1.16, 'cliff'],
    // 14 and 16 % less time for more keys.
    [114, 100, 0.7018, 1.14, 'smooth'],
    [116, 100, 0.6897, 1.16, 'cliff'],
  ])('%d ns, then %d with a quarter more keys', (before, after, perKey, jump, verdict) => {
    const found = jumpOf(steady(before), steady(after), 1.25);
    expect(found.perKey).toBeCloseTo(perKey, 3);
    expect(found.jump).toBeCloseTo(jump, 3);
    expect(found.verdict).toBe(verdict);
  });

  test('is unclear while the interval lies on both sides', () => {
    expect(jumpOf(noisy(100), noisy(125 * 1.15), 1.25).verdict).toBe('unclear');
    expect(jumpOf(noisy(100), noisy(125 * 1.5), 1.25).verdict).toBe('cliff');
    expect(jumpOf(noisy(100), noisy(110), 1.25).verdict).toBe('smooth');
  });
});

test('keys grow by those of the whole batch', () => {
  expect(keyGrowth(first)).toBe(1.25);
  const [ragged] = thresholdsOf({ ...LOAD, shares: [1, 1 / 2] }, 160);
  expect(keyGrowth(ragged!)).toBe(240 / 192);
});

describe('the report', () => {
  const found: LoadCliffs[] = [
    {
      load: LOAD,
      thresholds: 9,
      cliffs: [
        { threshold: second, beforeNs: steady(256_000), afterNs: steady(288_000) },
        { threshold: first, beforeNs: steady(128_000), afterNs: steady(240_000) },
      ],
    },
    { load: { ...LOAD, heads: 32, shares: [1, 1 / 2] }, thresholds: 0, cliffs: [] },
  ];
  const report = cliffsReport(found);

  test('has both sides of each threshold, worst first', () => {
    const rows = report.split('\n').filter((line) => line.startsWith('| 8/1'));
    const cells = rows.map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
    expect(cells).toEqual([
      [
        '8/1 f16',
        '128 → 160',
        '1 → 2',
        '1 → 2',
        '128.0 → 240.0',
        '1000 → 1500',
        '1.50 [1.50, 1.50]',
        'cliff',
      ],
      [
        '8/1 f16',
        '256 → 288',
        '2 → 3',
        '2 → 2',
        '256.0 → 288.0',
        '1000 → 1000',
        '1.00 [1.00, 1.00]',
        'smooth',
      ],
    ]);
  });

  test('says how much of everything was timed, and what that comes to', () => {
    expect(report).toContain('8/1 f16: 9 thresholds, the steepest of each octave timed (2)');
    expect(report).toContain('32/1 f16 × 2 ragged: no threshold');
    expect(report).toContain('of 2 thresholds timed: 1 cliffs, 1 smooth, 0 lost in noise');
  });

  test('fails on a cliff only', () => {
    expect(hasCliff(found)).toBe(true);
    expect(hasCliff([{ ...found[0]!, cliffs: found[0]!.cliffs.slice(0, 1) }, found[1]!])).toBe(false);
    expect(hasCliff([])).toBe(false);
  });

  test('of nothing is no table', () => {
    expect(cliffsReport([found[1]!])).toMatch(/^32\/1 .*no threshold\n\nof 0 thresholds timed/);
  });
});

describe('on the device', () => {
  test('both sides of the steepest thresholds are checked and timed', async () => {
    const device = await testDevice();
    const { wholeLen } = profileOf(device.facts);
    const options = {
      loads: [{ ...LOAD, heads: 2 }],
      upTo: wholeLen + 32,
      cache: 'hot',
      rotatedBytes: 2 ** 20,
      seed: 3,
    } as const;
    const found: LoadCliffs[] = [];
    for await (const each of measureCliffs(device, options)) found.push(each);
    expect(found).toHaveLength(1);
    const { thresholds, cliffs } = found[0]!;
    expect([thresholds, cliffs.length]).toEqual([1, 1]);
    const [{ threshold, beforeNs, afterNs }] = cliffs as [Cliff];
    expect([threshold.length, threshold.next]).toEqual([wholeLen, wholeLen + 32]);
    expect(beforeNs.length).toBeGreaterThanOrEqual(9);
    expect(afterNs).toHaveLength(beforeNs.length);
    for (const ns of [...beforeNs, ...afterNs]) expect(ns).toBeGreaterThan(0);
  });
});
