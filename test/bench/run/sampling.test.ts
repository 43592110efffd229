// sampling.test.ts: when rows count as settled, and what becomes of samples by a clock that was given up.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { noiseOf, timedRow } from '../../../bench/run/rowResult.ts';
import {
  sampleInterleaved,
  spread,
  takeSample,
  timePerStep,
  type Running,
  type Sampled,
} from '../../../bench/run/sampling.ts';
import type { Target } from '../../../bench/run/target.ts';
import type { PassTimer, Sample } from '../../../bench/run/timer.ts';
import { noisy, row, steady } from '../../support/benchResult.ts';

/** Why sampling ended, with rows that get this sample every time. */
async function stopOf(sampled: Sampled, sample: () => number, reps?: number): Promise<string> {
  const options = { seed: 1, maxTimeMs: 0, ...(reps !== undefined && { reps }) };
  const rounds = sampleInterleaved([sampled], async (each) => void each.samplesNs.push(sample()), options);
  for (;;) {
    const { done, value } = await rounds.next();
    if (done) return value;
  }
}

describe('rows that do not settle', () => {
  afterEach(() => void vi.restoreAllMocks());

  /** Seconds that so many rows are sampled for, on a clock of 100 ms a sample. */
  async function secondsOf(rows: number, maxTimeMs?: number): Promise<number> {
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const group = Array.from({ length: rows }, (): Sampled => ({ samplesNs: [] }));
    const take = async ({ samplesNs }: Sampled) => {
      now += 100;
      samplesNs.push(samplesNs.length % 2 === 0 ? 90 : 110);
    };
    const options = { seed: 1, ...(maxTimeMs !== undefined && { maxTimeMs }) };
    const rounds = sampleInterleaved(group, take, options);
    while (!(await rounds.next()).done);
    return Math.floor(now / 1000);
  }

  test('get time by their number, as much as three at most, or what is asked for', async () => {
    expect(await secondsOf(1)).toBe(2);
    expect(await secondsOf(2)).toBe(4);
    expect(await secondsOf(3)).toBe(6);
    expect(await secondsOf(5)).toBe(6);
    expect(await secondsOf(1, 3000)).toBe(3);
  });
});

test.each([
  ['the rounds that are wanted', { reps: 4 }, [0.25, 0.5, 0.75, 1]],
  [
    'the time that there is at most',
    { maxTimeMs: 1000 },
    [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1],
  ],
  [
    'the fewest rounds, where the time is up before',
    { maxTimeMs: 0 },
    [1, 2, 3, 4, 5, 6, 7].map((n) => n / 7),
  ],
])('a round knows its share of %s', async (_, limit, expected) => {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const take = async ({ samplesNs }: Sampled) => {
    now += 100;
    samplesNs.push(samplesNs.length % 2 === 0 ? 90 : 110);
  };
  const shares: number[] = [];
  const rounds = sampleInterleaved([{ samplesNs: [] }], take, { seed: 1, ...limit });
  for (let step = await rounds.next(); !step.done; step = await rounds.next()) shares.push(step.value.share);
  vi.restoreAllMocks();
  expect(shares).toEqual(expected);
});

describe('a row', () => {
  test('settles when its median is known to 2 %', async () => {
    expect(await stopOf({ samplesNs: [] }, () => 100)).toBe('converged');
    let n = 0;
    expect(await stopOf({ samplesNs: [] }, () => (n++ % 2 === 0 ? 90 : 110))).toBe('time');
  });

  test('does not settle by equal samples of a clock that may be off by more', async () => {
    expect(await stopOf({ samplesNs: [], clockNs: 1 }, () => 100)).toBe('converged');
    expect(await stopOf({ samplesNs: [], clockNs: 5 }, () => 100)).toBe('time');
  });

  test('does not settle by times that are none', async () => {
    expect(await stopOf({ samplesNs: [] }, () => 0)).toBe('time');
    expect(await stopOf({ samplesNs: [] }, () => -5)).toBe('time');
  });

  test('of few samples is neither settled nor restless: nothing is known', () => {
    expect(spread(steady(100, 5))).toBeNull();
    expect(noiseOf([1, 100])).toEqual([]);
    expect(noiseOf(noisy(100, 9))).toEqual(['noisy']);
    expect(noiseOf(steady(100), 6)).toEqual(['noisy']);
  });
});

const SUBJECT = {
  record() {},
  plan: {
    kernel: 'plain',
    dispatches: ['plain_scores', 'plain_softmax', 'plain_av'],
    numSplits: 1,
    splitLen: 64,
    bytes: { kv: 64, partial: 0 },
  },
};

function running(): Running {
  return {
    params: row(8, 1024, [1]).params,
    target: SUBJECT as unknown as Target,
    check: null,
    tuned: false,
    firstNs: 1,
    warmNs: 1,
    host: { planNs: 1, recordNs: 1 },
    stepsPerSample: 10,
    samplesNs: [],
    wallNs: [],
  };
}

/** A timer that gives these samples, one after the other. */
function timerOf(samples: Sample[], resolutionNs = 1): PassTimer {
  return { time: async () => samples.shift()!, resolutionNs } as unknown as PassTimer;
}

describe('samples', () => {
  const gpu = (ns: number): Sample => ({ ns, wallNs: 2000, source: 'gpu-timestamp' });
  const wall = (ns: number): Sample => ({ ns, wallNs: 2000, source: 'wall' });

  test('are per step, and know what their clock may be off', async () => {
    const run = running();
    await takeSample(timerOf([gpu(1000)], 50), run);
    expect([run.samplesNs, run.wallNs, run.clockNs]).toEqual([[100], [200], 5]);
  });

  test('by timestamps that were given up are not mixed with those of the wall clock', async () => {
    const run = running();
    const timer = timerOf([gpu(10), gpu(10), wall(1000), wall(1010)]);
    for (let i = 0; i < 4; i++) await takeSample(timer, run);
    expect([run.samplesNs, run.wallNs]).toEqual([
      [100, 101],
      [200, 200],
    ]);
  });

  test('that were dropped are taken again: a row has as many as were asked for', async () => {
    const run = running();
    const timer = timerOf([gpu(10), gpu(10), wall(1000), wall(1010), wall(1020)]);
    const rounds = sampleInterleaved([run], (each) => takeSample(timer, each), { seed: 1, reps: 3 });
    while (!(await rounds.next()).done);
    expect(run.samplesNs).toEqual([100, 101, 102]);
  });

  test.each([
    ['zero', [0, 0, 0], 1],
    ['backwards', [1000, -4000, 1000], 1],
    ['too short for the clock', [1000, 1000, 1000], 60],
  ])(
    'that are %s give a row without a time, a rate or a verdict of having settled',
    async (_, ns, resolutionNs) => {
      const run = running();
      const timer = timerOf(ns.map(gpu), resolutionNs);
      for (let i = 0; i < 3; i++) await takeSample(timer, run);
      const made = timedRow(run, 'converged', 0);
      expect(made).toMatchObject({ time: null, warnings: ['below-clock'] });
      expect(made.error).toMatch(/^below what this clock can tell: /);
    },
  );

  test('of a search that are too short for the clock end it', async () => {
    const target = SUBJECT as unknown as Target;
    expect(await timePerStep(timerOf([gpu(1000)], 50), target, 10)).toBe(100);
    await expect(timePerStep(timerOf([gpu(0)]), target, 10)).rejects.toThrow(
      'below what this clock can tell',
    );
    await expect(timePerStep(timerOf([gpu(1000)], 51), target, 10)).rejects.toThrow('less than 20 times');
  });
});
