// run.test.ts: a small benchmark run on the device, and a run that cannot be.
import { describe, expect, test } from 'vitest';
import { copiesPerKernel } from '../../../bench/run/coldCaches.ts';
import { isWrong } from '../../../bench/run/rowResult.ts';
import { runBench, type BenchEvent } from '../../../bench/run/run.ts';
import type { BenchOptions } from '../../../bench/run/options.ts';
import type { BenchResult, BenchRow } from '../../../bench/schema/schema.ts';
import { parseResult } from '../../../bench/schema/readResult.ts';
import { PassTimer } from '../../../bench/run/timer.ts';
import { checkShape, GqaError, type GqaDevice } from '../../../src/index.ts';
import { subgroupReports } from '../../../src/decode/probe.ts';
import { deviceKey, NO_TUNING, shapeClass, withEntry } from '../../../src/decode/tuning.ts';
import { testDevice } from '../../support/device.ts';
import { ownDevice } from '../../support/ownDevice.ts';

const OPTIONS: BenchOptions = {
  model: 'test',
  heads: 4,
  kvHeads: [4, 2, 1],
  headDim: 64,
  depths: [96],
  batches: [2],
  kTypes: ['f16'],
  vTypes: ['f16'],
  caches: ['cold'],
  kernels: ['auto'],
  seed: 5,
  check: true,
  reps: 2,
  maxTimeMs: 1000,
  lastLevelCacheBytes: 2 ** 19,
  context: { version: '0', runtime: { kind: 'test', version: '0' }, nonStandard: {} },
};

/** Measuring one takes longer than small rows do, the more where copies are many. */
const CEILING = { readGBps: 123, bytes: 1, wgSize: 1, groups: 1, samplesNs: [1] };

/** Two query heads: their shaders compile fastest. */
const QUICK: BenchOptions = { ...OPTIONS, heads: 2, kvHeads: [1], ceiling: CEILING };

async function run(options: BenchOptions): Promise<{ events: BenchEvent[]; result: BenchResult }> {
  const events: BenchEvent[] = [];
  const bench = runBench(await testDevice(), options);
  for (;;) {
    const { done, value } = await bench.next();
    if (done) return { events, result: value };
    events.push(value);
  }
}

describe('runBench', () => {
  test('a prefix that sequences share: the plain step and the cascade agree with float64, over fewer bytes', async () => {
    const { result } = await run({
      ...QUICK,
      // The fewest that its kernel takes; pairs of query heads share a KV head.
      heads: 32,
      kvHeads: [16],
      headDim: 32,
      kTypes: ['int8'],
      sharedPrefixes: [0, 75],
      lastLevelCacheBytes: 2 ** 17,
    });
    expect(result.results.map(({ check, checkAfter }) => [check?.pass, checkAfter?.pass])).toEqual(
      Array.from({ length: 3 }, () => [true, true]),
    );
    const [standard, plain, cascade] = result.results as [BenchRow, BenchRow, BenchRow];
    expect(plain.bytes.kvRead).toBe(standard.bytes.kvRead);
    // 96 keys, and the 21 that the second sequence has besides 75 of them, in place of twice 96.
    expect(cascade.bytes.kvRead).toBe((plain.bytes.kvRead * (96 + 21)) / (2 * 96));
    expect(cascade.workingSetBytes).toBe(plain.workingSetBytes);
    expect(cascade.dispatches!.at(-1)).toBe('merge');
    expect(parseResult(JSON.stringify(result), 'run.json').results[2]!.params).toMatchObject({
      sharedPrefix: 75,
      cascade: true,
    });
  });

  test('checks and times every row, in order, with bytes counted by hand', async () => {
    const { events, result } = await run(OPTIONS);
    expect(result.schema).toBe('gqa-bench/1');
    const { subgroupProbes } = result.context.adapter;
    const device = await testDevice();
    expect(subgroupProbes!.length > 0).toBe(device.facts.subgroups);
    expect(subgroupProbes).toEqual(await subgroupReports(device));
    expect(result.results.map((row) => row.id)).toEqual([
      'h4_kv4_d64_b2_t96_f16',
      'h4_kv2_d64_b2_t96_f16',
      'h4_kv1_d64_b2_t96_f16',
    ]);
    // 2 sequences x 96 tokens x Hkv x 64 x (2 + 2) bytes
    expect(result.results.map((row) => row.bytes.kvRead)).toEqual(
      [4, 2, 1].map((kv) => 2 * 96 * kv * 64 * 4),
    );
    for (const row of result.results) {
      expect(row.check).toMatchObject({ ref: 'cpu-f64', pass: true });
      expect(row.checkAfter).toMatchObject({ ref: 'cpu-f64', pass: true });
      expect(['registers', 'tiles']).toContain(row.kernel);
      expect(row.sizes).toContain(row.kernel);
      // Null where this host's clock is too coarse for them.
      for (const ns of [row.host!.planNs, row.host!.recordNs]) expect(ns ?? 1).toBeGreaterThan(0);
      expect(row.time!.samplesNs).toHaveLength(2);
      expect(row.time!.median).toBeGreaterThan(0);
      expect(row.time!.ci95).toBeNull(); // of two samples there is none
      expect(row.clockNs).toBeGreaterThan(0);
    }
    expect(result.context.ceiling.readGBps).toBeGreaterThan(0);
    expect(events.filter((event) => event.type === 'row')).toHaveLength(3);
    const first = (type: BenchEvent['type']) => events.findIndex((event) => event.type === type);
    expect(first('ceiling')).toBe(first('row') - 1);
    // A row has a time as soon as it is ready, before the next one is.
    const soFar = events.flatMap((event) => (event.type === 'progress' ? [event.soFar] : []));
    expect(soFar.slice(0, 3).map((rows) => rows.map(({ params }) => params.kvHeads))).toEqual([
      [],
      [4],
      [4, 2],
    ]);
    expect(soFar[2]!.map(({ samples, ns }) => [samples, ns > 0])).toEqual([
      [0, true],
      [0, true],
    ]);
    expect(soFar.findLast((rows) => rows.length > 0)!.map(({ samples }) => samples)).toEqual([2, 2, 2]);
  });

  test('a ceiling that is given is not measured again', async () => {
    const { events, result } = await run(QUICK);
    expect(events.some(({ type }) => type === 'ceiling')).toBe(false);
    expect(result.context.ceiling).toEqual(CEILING);
    expect(result.results[0]!.time!.median).toBeGreaterThan(0);
  });

  test('says how much is done: from nothing to all, never less than before, over all groups', async () => {
    const { events } = await run({ ...OPTIONS, kvHeads: [4, 1], batches: [1, 2] });
    const shares = events.flatMap((event) => (event.type === 'progress' ? [event.share] : []));
    // Twice two rows and two rounds, and the ceiling.
    expect(shares).toHaveLength(1 + 2 * 4);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    // The ceiling begins where the first group ended.
    expect(new Set(shares).size).toBe(shares.length - 1);
    expect([shares[0], shares.at(-1)]).toEqual([0, 1]);
  });

  test('a row that was right before it was timed and is wrong after it has no time', async () => {
    using device = await ownDevice(['subgroups']);
    const values: GPUBuffer[] = [];
    const create = device.gpu.createBuffer.bind(device.gpu);
    device.gpu.createBuffer = (descriptor) => {
      const buffer = create(descriptor);
      if (buffer.label.startsWith('v_cache')) values.push(buffer);
      return buffer;
    };
    const bench = runBench(device, { ...OPTIONS, kvHeads: [4, 1], ceiling: CEILING });
    let step = await bench.next();
    for (; !step.done; step = await bench.next()) {
      if (step.value.type !== 'progress' || !step.value.text.includes('round 1')) continue;
      const mqa = Math.min(...values.map(({ size }) => size));
      for (const buffer of values.filter(({ size }) => size === mqa))
        device.gpu.queue.writeBuffer(buffer, 0, new Uint32Array(mqa / 4).fill(0x3c00_3c00)); // all ones
    }
    const [right, wrong] = step.value.results;
    expect(isWrong(right!)).toBe(false);
    expect(isWrong(wrong!)).toBe(true);
    expect(wrong).toMatchObject({ time: null, check: { pass: true }, checkAfter: { pass: false } });
    expect(wrong!.error).toMatch(/^wrong result after it was timed: error .*, bound /);
  });

  test('a shape past the limits is a row without a time, and the others run', async () => {
    const { result } = await run({
      ...OPTIONS,
      kvHeads: [4, 1],
      batches: [1],
      capacity: 2 ** 24,
      ceiling: CEILING,
    });
    const [mha] = result.results;
    expect(mha!.time).toBeNull();
    expect(mha!.error).toMatch(/maxStorageBufferBindingSize needed 2147483648, available \d+/);
  });

  test('cold rows read copies past twice the last-level cache in turn, hot ones a single copy', async () => {
    const { result } = await run({ ...QUICK, caches: ['cold', 'hot'] });
    const bytes = 2 * 96 * 64 * 4;
    expect(result.context.coldBytes).toBe(2 ** 20);
    expect(result.results.map((row) => [row.cold, row.workingSetBytes])).toEqual([
      [true, Math.ceil(2 ** 20 / bytes) * bytes],
      [false, bytes],
    ]);
  });

  test('the copies of all rows together are bound as far as memory maps last, whatever the cache', async () => {
    using device = await ownDevice(['subgroups']);
    let bound = 0;
    const create = device.gpu.createBindGroup.bind(device.gpu);
    device.gpu.createBindGroup = (descriptor) => (bound++, create(descriptor));
    const kernels = ['auto', 'plain'] as const;
    // Two rows run. The others are past the limits, which is not known when copies are shared out.
    const options = { ...QUICK, batches: [1], depths: [8, 2 ** 22, 2 ** 23], kernels, reps: 1 };
    const bench = runBench(device, { ...options, lastLevelCacheBytes: 480 * 2 ** 20 });
    let step = await bench.next();
    while (!step.done) step = await bench.next();
    const { results: all, context } = step.value;
    const results = all.filter(({ params }) => params.depth === 8);
    expect([all.length, results.length]).toEqual([6, 2]);
    const copies = results.map(({ workingSetBytes, bytes }) => workingSetBytes / bytes.kvRead);
    expect(copies).toEqual(results.map(() => copiesPerKernel(6)));
    expect(3 * bound).toBeLessThan(65_530 / 2);
    expect(context.lastLevelCacheBytes).toBe(480 * 2 ** 20);
    expect(results.map(({ cold, check }) => [cold, check?.pass])).toEqual(results.map(() => [false, true]));
  });

  test('a batch of unequal requests, by several kernels on the same data', async () => {
    const kernels = ['auto', 'plain'] as const;
    const { result } = await run({ ...QUICK, requests: ['1q1s96_2q1s5_1q1s0'], kernels });
    expect(result.results.map((row) => [row.kernel === 'plain', row.check?.pass, row.bytes.kvRead])).toEqual([
      [false, true, 106 * 64 * 4],
      [true, true, 106 * 64 * 4],
    ]);
  });

  test('auto takes what was tuned for the device and the shape, and says so', async () => {
    const device = await testDevice();
    const shape = checkShape({ batch: 2, numQHeads: 2, numKvHeads: 1, headDim: 64 });
    const types = { kType: 'f16', vType: 'f16' } as const;
    const variant = { template: 'tiles', wgSize: 16, tile: 16, rowBlock: 2, mixWords: 1 } as const;
    const key = [deviceKey(device.gpu.adapterInfo), shapeClass(shape, types)] as const;
    const tuning = withEntry(NO_TUNING, ...key, { variant, slots: 3 });
    const { result } = await run({ ...QUICK, kvHeads: [1, 2], tuning });
    expect(result.results.map((row) => row.tuned)).toEqual([true, false]);
    expect(result.results[0]!.sizes).toBe('tiles wg16 tile16 rows2 words1');
  });

  test('an aborted run ends with the abort', async () => {
    await expect(run({ ...OPTIONS, signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    );
  });
});

/** Runs two groups of a row each and calls `cut` at the progress that contains the text. */
async function cutAt(text: string, cut: () => void, device: GqaDevice, signal?: AbortSignal) {
  const options = { ...QUICK, depths: [64, 96], reps: 5, ...(signal && { signal }) };
  const events: BenchEvent[] = [];
  const bench = runBench(device, options);
  for (;;) {
    const { done, value } = await bench.next();
    if (done) return { events, result: value };
    events.push(value);
    if (value.type === 'progress' && value.text.includes(text)) cut();
  }
}

describe('a run that ends early', () => {
  const FIRST = 'h2_kv1_d64_b2_t64_f16';
  const SECOND = 'h2_kv1_d64_b2_t96_f16';
  const enough = new GqaError('interrupted', 'enough');

  async function aborted(text: string) {
    const stop = new AbortController();
    return cutAt(text, () => stop.abort(enough), await testDevice(), stop.signal);
  }

  test('aborted before the second group is sampled: the first one is the result, and says what it lacks', async () => {
    const { result, events } = await aborted('preparing mqa @ d96');
    expect(result.results.map(({ id }) => id)).toEqual([FIRST]);
    expect(result.context.partial).toEqual({ code: 'interrupted', reason: 'enough', rows: 2 });
    expect(result.context.warnings).toContainEqual({ code: 'partial', text: 'partial: 1 of 2 rows; enough' });
    expect(parseResult(JSON.stringify(result), 'cut.json').context.partial).toEqual(result.context.partial);
    expect(events.filter(({ type }) => type === 'failed')).toEqual([]);
  });

  test('aborted between samples: the rows under way keep those they have, checked as ever', async () => {
    const { result } = await aborted('d96: round 2');
    expect(result.results.map(({ id }) => id)).toEqual([FIRST, SECOND]);
    expect(result.results[0]!.time).toMatchObject({ stop: 'reps', samplesNs: { length: 5 } });
    expect(result.results[1]!.time).toMatchObject({ stop: 'interrupted', samplesNs: { length: 2 } });
    expect(result.results[1]!.checkAfter).toMatchObject({ pass: true });
    expect(result.context.partial).toMatchObject({ code: 'interrupted' });
  });

  test('the result so far comes after each group but the last; a whole run is not partial', async () => {
    const { result, events } = await cutAt('nothing', () => {}, await testDevice());
    const soFar = events.flatMap((event) => (event.type === 'soFar' ? [event.result] : []));
    expect(soFar.map(({ results }) => results.map(({ id }) => id))).toEqual([[FIRST]]);
    expect(soFar[0]!.context.partial).toMatchObject({ code: 'running', rows: 2 });
    expect(result.context).not.toHaveProperty('partial');
    expect(result.context.warnings.map(({ code }) => code)).not.toContain('partial');
  });

  test('a device that is lost in the second group: the error, and the rows of the first', async () => {
    using device = await ownDevice(['subgroups']);
    const { result, events } = await cutAt('d96: round 1', () => device.gpu.destroy(), device);
    expect(result.results.map(({ id }) => id)).toEqual([FIRST]);
    expect(result.context.partial).toMatchObject({ code: 'device-lost', rows: 2 });
    expect(events.at(-1)).toMatchObject({ type: 'failed', error: { code: 'device-lost' } });
  });

  test('a device that is lost before any row is finished: the error alone', async () => {
    using device = await ownDevice(['subgroups']);
    await expect(cutAt('d64: round 1', () => device.gpu.destroy(), device)).rejects.toThrow('device lost');
  });
});

describe('PassTimer', () => {
  /** A wall clock on which everything takes a thousand times as long. */
  const SLOWED = {
    now: () => 1000 * performance.now(),
    sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
  };

  function waitFor(ms: number): void {
    const end = performance.now() + ms;
    while (performance.now() < end);
  }

  test('takes a sample again that a hidden tab touched', async () => {
    let calls = 0;
    // Asked before and after each sample: hidden during the first one only.
    const guard = { wait: () => Promise.resolve(), interrupted: () => ++calls === 2 };
    const timer = new PassTimer(await testDevice(), { guard });
    const sample = await timer.time(() => {});
    expect(sample.wallNs).toBeGreaterThan(0);
    expect(timer.hidden).toBe(1);
    expect(calls).toBe(4);
    timer.destroy();
  });

  test('a host slow to say that work is done does not make timestamps look wrong', async () => {
    const timer = new PassTimer(await testDevice(), { quiet: () => () => waitFor(6) });
    await timer.calibrate();
    for (let i = 0; i < 4; i++) await timer.time(() => {});
    expect(timer.demoted).toBe(false);
    timer.destroy();
  });

  test('gives up timestamps that leave out most of what the wall clock counts', async () => {
    let extra = 0;
    const timer = new PassTimer(await testDevice(), { clock: SLOWED, quiet: () => () => waitFor(extra) });
    await timer.calibrate();
    extra = 200; // far more than an empty submission may be off by on a busy machine
    const sources: string[] = [];
    for (let i = 0; i < 4; i++) sources.push((await timer.time(() => {})).source);
    expect(sources).toEqual(['gpu-timestamp', 'gpu-timestamp', 'wall', 'wall']);
    expect([timer.demoted, timer.wallRatio]).toEqual([true, null]);
    timer.destroy();
  });

  test('a sample that a hidden tab touched is not held against timestamps', async () => {
    let toHide = 0;
    let touched = false;
    const quiet = () => () => {
      if (toHide === 0) return;
      toHide--;
      touched = true;
      waitFor(20);
    };
    const guard = {
      wait: () => Promise.resolve(),
      interrupted() {
        const was = touched;
        touched = false;
        return was;
      },
    };
    const timer = new PassTimer(await testDevice(), { clock: SLOWED, quiet, guard });
    await timer.calibrate();
    toHide = 4; // it takes three to give timestamps up
    expect((await timer.time(() => {})).source).toBe('gpu-timestamp');
    expect([timer.hidden, timer.demoted]).toEqual([4, false]);
    timer.destroy();
  });

  test('its times are whole steps of the clock that it found', async () => {
    const timer = new PassTimer(await testDevice());
    await timer.calibrate();
    const times: number[] = [];
    for (let i = 0; i < 4; i++) times.push((await timer.time(() => {})).ns);
    expect(times.map((ns) => ns % timer.stepNs)).toEqual([0, 0, 0, 0]);
    expect(timer.demoted).toBe(false);
    timer.destroy();
  });
});
