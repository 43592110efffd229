// run.test.ts: a small benchmark run on the device, and a run that cannot be.
import { describe, expect, test } from 'vitest';
import { isWrong } from '../../bench/rowResult.ts';
import { runBench, type BenchEvent, type BenchOptions } from '../../bench/run.ts';
import type { BenchResult } from '../../bench/schema.ts';
import { PassTimer } from '../../bench/timer.ts';
import { checkShape, deviceKey, NO_TUNING, shapeClass, subgroupReports, withEntry } from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { ownDevice } from '../support/ownDevice.ts';

const OPTIONS: BenchOptions = {
  model: 'test',
  heads: 8,
  kvHeads: [8, 2, 1],
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
  test('checks and times every row, in order, with bytes counted by hand', async () => {
    const { events, result } = await run(OPTIONS);
    expect(result.schema).toBe('gqa-bench/1');
    const { subgroupProbes } = result.context.adapter;
    const device = await testDevice();
    expect(subgroupProbes!.length > 0).toBe(device.facts.subgroups);
    expect(subgroupProbes).toEqual(await subgroupReports(device));
    expect(result.results.map((row) => row.id)).toEqual([
      'h8_kv8_d64_b2_t96_f16',
      'h8_kv2_d64_b2_t96_f16',
      'h8_kv1_d64_b2_t96_f16',
    ]);
    // 2 sequences x 96 tokens x Hkv x 64 x (2 + 2) bytes
    expect(result.results.map((row) => row.bytes.kvRead)).toEqual(
      [8, 2, 1].map((kv) => 2 * 96 * kv * 64 * 4),
    );
    for (const row of result.results) {
      expect(row.check).toMatchObject({ ref: 'cpu-f64', pass: true });
      expect(row.checkAfter).toMatchObject({ ref: 'cpu-f64', pass: true });
      expect(['registers', 'tiles']).toContain(row.kernel);
      expect(row.sizes).toContain(row.kernel);
      expect(row.host!.planNs).toBeGreaterThan(0);
      expect(row.host!.recordNs).toBeGreaterThan(0);
      expect(row.time!.samplesNs).toHaveLength(2);
      expect(row.time!.median).toBeGreaterThan(0);
      expect(row.time!.ci95[0]).toBeLessThanOrEqual(row.time!.median);
    }
    expect(result.context.ceiling.readGBps).toBeGreaterThan(0);
    expect(events.filter((event) => event.type === 'row')).toHaveLength(3);
    expect(events.findIndex((event) => event.type === 'ceiling')).toBe(1);
  });

  test('a row that was right before it was timed and is wrong after it has no time', async () => {
    using device = await ownDevice(['subgroups']);
    const values: GPUBuffer[] = [];
    const create = device.device.createBuffer.bind(device.device);
    device.device.createBuffer = (descriptor) => {
      const buffer = create(descriptor);
      if (buffer.label.startsWith('v_cache')) values.push(buffer);
      return buffer;
    };
    const bench = runBench(device, { ...OPTIONS, kvHeads: [8, 1] });
    let step = await bench.next();
    for (; !step.done; step = await bench.next()) {
      if (step.value.type !== 'progress' || !step.value.text.includes('round 1')) continue;
      const mqa = Math.min(...values.map(({ size }) => size));
      for (const buffer of values.filter(({ size }) => size === mqa))
        device.device.queue.writeBuffer(buffer, 0, new Uint32Array(mqa / 4).fill(0x3c00_3c00)); // all ones
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
      kvHeads: [8, 1],
      batches: [1],
      depths: [96],
      capacity: 2 ** 24,
    });
    const [mha] = result.results;
    expect(mha!.time).toBeNull();
    expect(mha!.error).toMatch(/maxStorageBufferBindingSize needed 17179869184, available \d+/);
  });

  test('cold rows read copies past twice the last-level cache in turn, hot ones a single copy', async () => {
    const { result } = await run({ ...OPTIONS, kvHeads: [1], caches: ['cold', 'hot'] });
    const bytes = 2 * 96 * 64 * 4;
    expect(result.context.coldBytes).toBe(2 ** 20);
    expect(result.results.map((row) => [row.cold, row.workingSetBytes])).toEqual([
      [true, Math.ceil(2 ** 20 / bytes) * bytes],
      [false, bytes],
    ]);
  });

  test('a batch of unequal requests, by several kernels on the same data', async () => {
    const kernels = ['auto', 'plain'] as const;
    const { result } = await run({ ...OPTIONS, kvHeads: [2], requests: ['1q1s96_2q1s5_1q1s0'], kernels });
    expect(result.results.map((row) => [row.kernel === 'plain', row.check?.pass, row.bytes.kvRead])).toEqual([
      [false, true, 106 * 2 * 64 * 4],
      [true, true, 106 * 2 * 64 * 4],
    ]);
  });

  test('auto takes what was tuned for the device and the shape, and says so', async () => {
    const device = await testDevice();
    const shape = checkShape({ batch: 2, numQHeads: 8, numKvHeads: 1, headDim: 64 });
    const types = { kType: 'f16', vType: 'f16' } as const;
    const variant = { template: 'tiles', wgSize: 16, tile: 16, rowBlock: 8, mixWords: 1 } as const;
    const key = [deviceKey(device.device.adapterInfo), shapeClass(shape, types)] as const;
    const tuning = withEntry(NO_TUNING, ...key, { variant, slots: 3 });
    const { result } = await run({ ...OPTIONS, kvHeads: [1, 8], tuning });
    expect(result.results.map((row) => row.tuned)).toEqual([true, false]);
    expect(result.results[0]!.sizes).toBe('tiles wg16 tile16 rows8 words1');
  });

  test('an aborted run ends with the abort', async () => {
    await expect(run({ ...OPTIONS, signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    );
  });
});

describe('PassTimer', () => {
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
    const slow = () => () => {
      const end = performance.now() + 6;
      while (performance.now() < end);
    };
    const timer = new PassTimer(await testDevice(), { quiet: slow });
    await timer.calibrate();
    for (let i = 0; i < 4; i++) await timer.time(() => {});
    expect(timer.demoted).toBe(false);
    timer.destroy();
  });

  test('finds the step of the clock', async () => {
    const timer = new PassTimer(await testDevice());
    await timer.calibrate();
    expect(Number.isInteger(timer.stepNs)).toBe(true);
    expect(timer.stepNs).toBeGreaterThanOrEqual(1);
    expect(timer.demoted).toBe(false);
    timer.destroy();
  });
});
