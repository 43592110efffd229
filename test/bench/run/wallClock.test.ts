// wallClock.test.ts: a device whose host looks for finished work now and then, in simulated time: what times come out.
import { describe, expect, test } from 'vitest';
import { clockFault, growSteps, LEAST_CLOCKS, sampleSpan, spread } from '../../../bench/run/sampling.ts';
import { PassTimer } from '../../../bench/run/timer.ts';
import type { GqaDevice } from '../../../src/index.ts';
import { WallClock } from '../../../bench/run/wallClock.ts';

const MS = 1e6;

interface Simulated {
  /** The host looks for finished work at multiples of this, in ns; 0: it knows at once. */
  readonly pollNs: number;
  /** Whether it looks at every submission too. */
  readonly atSubmit?: boolean;
  /** What every submission costs besides its work. */
  readonly fixedNs?: number;
  /** Step of the host's clock. */
  readonly stepNs?: number;
}

/** Time that passes from event to event, whenever all that could go on has gone on. */
class Time {
  now = 0;
  readonly #events: { at: number; act: () => void }[] = [];
  #passing = false;

  at(at: number, act: () => void): void {
    this.#events.push({ at, act });
    if (!this.#passing) void this.#pass();
  }

  async #pass(): Promise<void> {
    this.#passing = true;
    while (this.#events.length > 0) {
      // Whoever waits for a promise that is fulfilled comes first.
      for (let i = 0; i < 20; i++) await Promise.resolve();
      this.#events.sort((a, b) => a.at - b.at);
      const { at, act } = this.#events.shift()!;
      this.now = Math.max(this.now, at);
      act();
    }
    this.#passing = false;
  }
}

/** A timer of a device without timestamps, in simulated time. */
function simulate({ pollNs, atSubmit = false, fixedNs = 0, stepNs = 1000 }: Simulated) {
  const time = new Time();
  let busyUntil = 0;
  let workNs = 0;
  let seen: (() => void) | undefined;
  const look = () => {
    if (time.now < busyUntil) return;
    seen?.();
    seen = undefined;
  };
  const nextLook = () => {
    const at = pollNs === 0 ? busyUntil : pollNs * (Math.floor(time.now / pollNs) + 1);
    time.at(at, () => {
      look();
      if (seen) nextLook();
    });
  };
  const queue = {
    submit(commands: readonly unknown[]) {
      if (commands.length > 0) busyUntil = Math.max(time.now, busyUntil) + fixedNs + workNs;
      if (atSubmit) look();
    },
    onSubmittedWorkDone: () =>
      new Promise<void>((resolve) => {
        seen = resolve;
        nextLook();
      }),
  };
  const clock = {
    // Reading the clock takes a little time too.
    now: () => (Math.floor((time.now += 100) / stepNs) * stepNs) / MS,
    sleep: (ms: number) => new Promise<void>((resolve) => time.at(time.now + ms * MS, resolve)),
  };
  const device = {
    assertUsable() {},
    facts: { software: true },
    gpu: {
      features: new Set(),
      queue,
      createCommandEncoder: () => ({ beginComputePass: () => ({ end() {} }), finish: () => ({}) }),
    },
  } as unknown as GqaDevice;
  const timer = new PassTimer(device, { clock });
  /** Nanoseconds per step by the timer, of steps that take `stepNs` each, with as many of them as the bench would take. */
  const measure = async (perStep: number) => {
    const sample = async (steps: number) => {
      workNs = steps * perStep;
      const { ns } = await timer.time(() => {});
      workNs = 0;
      return ns;
    };
    const stepsPerSample = await growSteps(sampleSpan(device, timer), sample);
    const samplesNs: number[] = [];
    for (let i = 0; i < 7; i++) samplesNs.push((await sample(stepsPerSample)) / stepsPerSample);
    return { stepsPerSample, samplesNs, clockNs: timer.resolutionNs / stepsPerSample };
  };
  return { time, queue: queue as unknown as GPUQueue, clock, timer, measure };
}

const COMMANDS = {} as GPUCommandBuffer;

const middle = (values: readonly number[]) => values.toSorted((a, b) => a - b)[3]!;

// The times of Firefox's rows on lavapipe.
const TIMES = [4.1 * MS, 2.29 * MS, 2.21 * MS];

describe('a host that looks for finished work every 100 ms', () => {
  test('and at submissions is nudged: its times are as fine as the nudges', async () => {
    const { timer, measure } = simulate({ pollNs: 100 * MS, atSubmit: true, fixedNs: 0.2 * MS });
    await timer.calibrate();
    expect(timer.wallLateNs).toBeLessThan(3 * MS);
    for (const ns of TIMES) {
      const { samplesNs, clockNs } = await measure(ns);
      expect(Math.abs(middle(samplesNs) / ns - 1)).toBeLessThan(0.02);
      expect(Math.abs(middle(samplesNs) - ns)).toBeLessThanOrEqual(clockNs);
    }
  });

  test('and at submissions is nudged for other answers too', async () => {
    const { time, queue, clock } = simulate({ pollNs: 100 * MS, atSubmit: true });
    const wall = new WallClock(queue, { clock });
    await wall.calibrate(() => wall.time(() => queue.submit([COMMANDS])));
    const start = time.now;
    queue.submit([COMMANDS]);
    expect(await wall.hurried(queue.onSubmittedWorkDone().then(() => 'read'))).toBe('read');
    expect(time.now - start).toBeLessThan(3 * MS);
  });

  test('and at no other time gets samples of twenty times that, and says how far off they may be', async () => {
    const { timer, measure } = simulate({ pollNs: 100 * MS });
    await timer.calibrate();
    expect(timer.source).toBe('wall');
    expect(timer.wallLateNs).toBeGreaterThan(90 * MS);
    for (const ns of TIMES) {
      const run = await measure(ns);
      expect(run.stepsPerSample * ns).toBeGreaterThan(1800 * MS);
      expect(Math.abs(middle(run.samplesNs) / ns - 1)).toBeLessThan(0.06);
      expect(Math.abs(middle(run.samplesNs) - ns)).toBeLessThanOrEqual(run.clockNs);
      // All samples may be equal and yet off: no row settles by them.
      expect(spread(run.samplesNs, run.clockNs)).toBeGreaterThan(0.02);
      expect(clockFault(run)).toBeUndefined();
    }
  });

  test('gives no time to work that is too short for it', async () => {
    const { timer, measure } = simulate({ pollNs: 100 * MS });
    await timer.calibrate();
    expect(clockFault(await measure(0.02 * MS))).toMatch(/^below what this clock can tell: /);
  });
});

describe('a host that knows at once', () => {
  test('has a clock of the step that it has, measured', async () => {
    for (const stepNs of [5000, 100_000, MS]) {
      const { timer } = simulate({ pollNs: 0, stepNs });
      await timer.calibrate();
      expect(timer.stepNs).toBeCloseTo(stepNs, 0);
      expect(timer.resolutionNs).toBeGreaterThanOrEqual(stepNs - 1);
    }
  });

  test('does not count what an empty submission takes', async () => {
    const { timer, measure } = simulate({ pollNs: 0, fixedNs: MS });
    await timer.calibrate();
    const { samplesNs } = await measure(0.5 * MS);
    expect(Math.abs(middle(samplesNs) / (0.5 * MS) - 1)).toBeLessThan(0.01);
  });

  test('is not held against itself', async () => {
    const { timer, measure } = simulate({ pollNs: 0 });
    await timer.calibrate();
    await measure(MS);
    expect(timer.wallRatio).toBeNull();
  });
});

describe('a sample', () => {
  const software = { facts: { software: true } };

  test('is a hundred times as long as its clock may be off, up to a second; at least twenty times', () => {
    const span = (resolutionNs: number) => sampleSpan(software, { resolutionNs });
    expect(span(1)).toBe(20 * MS);
    expect(span(MS)).toBe(100 * MS);
    expect(span(30 * MS)).toBe(1000 * MS);
    expect(span(100 * MS)).toBe(LEAST_CLOCKS * 100 * MS);
  });

  test('has no time where its clock gave none above 0', () => {
    const fault = (...samplesNs: number[]) => clockFault({ stepsPerSample: 10, samplesNs });
    expect(fault(0, 0, 0)).toBe('below what this clock can tell: it gave no time above 0 in 3 of 3 samples');
    expect(fault(5, -5, 5)).toContain('in 1 of 3 samples');
    expect(fault(NaN)).toContain('in 1 of 1 samples');
    expect(fault(5, 5, 5)).toBeUndefined();
  });

  test('has no time where it is shorter than twenty times what its clock may be off', () => {
    const run = { stepsPerSample: 10, samplesNs: [1.9 * MS] };
    expect(clockFault({ ...run, clockNs: MS / 10 })).toBe(
      'below what this clock can tell: a sample of 10 steps takes 19.0 ms, less than 20 times the 1.00 ms that it may be off',
    );
    expect(clockFault({ ...run, samplesNs: [2 * MS], clockNs: MS / 10 })).toBeUndefined();
  });
});
