// warnings.test.ts: what a run says against its own figures, each verdict on its own clock, ceiling and rows.
import { describe, expect, test } from 'vitest';
import type { BenchRow, Warning } from '../../../bench/schema/schema.ts';
import { ceilingShare } from '../../../bench/schema/rates.ts';
import { runWarnings, tuningWarnings } from '../../../bench/run/warnings.ts';
import { NO_TUNING, withEntry } from '../../../src/decode/tuning.ts';
import { testDevice } from '../../support/device.ts';
import { NO_TIME, noisy, result, row, steady } from '../../support/benchResult.ts';

const { ceiling } = result([]).context;

const CLOCKS: Parameters<typeof runWarnings>[0] = {
  hidden: 0,
  demoted: false,
  source: 'gpu-timestamp',
  stepNs: 1,
  resolutionNs: 1,
  wallRatio: 1.03,
  wallLateNs: 50_000,
};

const good = row(8, 4096, steady(1e6));

function warnings(clocks: Partial<typeof CLOCKS>, rows: readonly BenchRow[] = [good]): Warning[] {
  const shares = rows.flatMap((each) => ceilingShare(ceiling, each) ?? []);
  return runWarnings({ ...CLOCKS, ...clocks }, rows, shares);
}

test('a run with nothing against it has none', () => {
  expect(warnings({})).toEqual([]);
});

describe('timestamps that the wall clock', () => {
  test.each([0.9, 1, 1.5])('confirms have none: %d', (wallRatio) => {
    expect(warnings({ wallRatio })).toEqual([]);
  });

  test.each([
    [0.0099, 'wall clock / timer is 0.00990, which cannot be'],
    [0.85, 'wall clock / timer is 0.850, which cannot be'],
    [1.6, 'leave out much of the time that passed'],
    [50, 'leave out much of the time that passed'],
  ])('contradicts are told: %d', (wallRatio, text) => {
    const [warning, ...others] = warnings({ wallRatio });
    expect([warning!.code, others]).toEqual(['timers-disagree', []]);
    expect(warning!.text).toContain(text);
  });

  test('cannot judge are told', () => {
    expect(warnings({ wallRatio: null, wallLateNs: 1e8 })[0]!.text).toBe(
      'the GPU timestamps are unchecked: all samples are too short for a wall clock that may be off by 100 ms',
    );
  });

  test('are not there to judge, or were given up: nothing is said of the ratio', () => {
    expect(warnings({ source: 'wall', wallRatio: null })).toEqual([]);
    expect(warnings({ source: 'wall', demoted: true, wallRatio: null }).map(({ code }) => code)).toEqual([
      'timer-broken',
    ]);
  });
});

describe('a clock', () => {
  test('that may be off by more than a hundredth of a sample is coarse', () => {
    expect(warnings({ resolutionNs: 90_000 })).toEqual([]); // of ten steps of a millisecond
    expect(warnings({ resolutionNs: 200_000 })[0]).toEqual({
      code: 'timer-coarse',
      text: 'a step of the timestamps is 0.200 ms, 2.0 % of the shortest sample',
    });
    const wall = { source: 'wall', wallRatio: null, resolutionNs: 500_000 } as const;
    expect(warnings(wall)[0]!.text).toBe(
      'the wall clock may be off by 0.500 ms, 5.0 % of the shortest sample',
    );
  });

  test('that could tell no time of some rows is said', () => {
    const [warning] = warnings({}, [good, row(1, 4096, [1], NO_TIME)]);
    expect(warning).toEqual({
      code: 'below-clock',
      text: '1 of 2 rows have no time: their samples are too short for this clock',
    });
  });
});

test('a row faster than the ceiling is told', () => {
  // 16 MiB at 512 bytes per ns are 32,768 ns.
  expect(warnings({}, [row(8, 4096, steady(32_000))])).toEqual([]);
  const [warning] = warnings({}, [row(8, 4096, steady(16_384)), good]);
  expect(warning).toMatchObject({ code: 'above-ceiling' });
  expect(warning!.text).toMatch(/^1 of 2 rows read faster than the read ceiling \(up to 200 %\)/);
});

test('rows that did not settle are counted, and the option that gives them more time is named', () => {
  const restless = row(8, 4096, noisy(1e6, 9), { warnings: ['noisy'] });
  const [warning] = warnings({}, [restless, good]);
  expect(warning!.text).toMatch(
    /^1 of 2 rows did not settle \(a median known only to ±\d+ %\): .* or raise max-time$/,
  );
  const byCount = { ...restless, time: { ...restless.time!, stop: 'reps' as const } };
  expect(warnings({}, [byCount])[0]!.text).toMatch(/or raise reps$/);
});

test('a tuning entry that cannot be used is named with its file', async () => {
  const device = await testDevice();
  const variant = { template: 'tiles', wgSize: 7777, tile: 16, rowBlock: 4, mixWords: 1 } as const;
  const tuning = withEntry(NO_TUNING, 'another device', 'd64_rows4_heads8_f16', { variant, slots: 3 });
  const [warning] = tuningWarnings(device, { tuning, tuningSource: '/u/me/tuning.json' });
  expect(warning!.code).toBe('tuning');
  expect(warning!.text).toMatch(/^\/u\/me\/tuning\.json: no entry is for this device, "/);
  expect(tuningWarnings(device, {})).toEqual([]);
});
