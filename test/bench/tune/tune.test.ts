// tune.test.ts: the search for the fastest variant, by a clock that says how long each takes, and what it leaves behind.
import { describe, expect, test } from 'vitest';
import { workloadsAt, tune, type Trial, type TuneOptions } from '../../../bench/tune/tune.ts';
import type { HostClock } from '../../../bench/run/wallClock.ts';
import { createDecoder, createKvCache, type GqaDevice } from '../../../src/index.ts';
import { NO_TUNING, parseTuning, withEntry } from '../../../src/decode/tuning.ts';
import { ownDevice } from '../../support/ownDevice.ts';

// One head of few keys: a shader of it compiles fast.
const SHAPE = {
  model: 'test',
  heads: 1,
  kvHeads: 1,
  headDim: 32,
  batch: 1,
  kType: 'f16',
  vType: 'f16',
} as const;

/** Milliseconds of a step of each variant, in the order in which they are compiled: all after these take nine. */
const COSTS = [10, 9.9, 8, 12, 7.9];
const costAt = (n: number) => COSTS[n] ?? 9;

/** Makes a device's kernels take those times, by the clock that it returns. */
function inventTimes({ gpu }: GqaDevice): HostClock {
  const costs = new Map<GPUComputePipeline, number>();
  let [now, recorded] = [0, 0];
  const compile = gpu.createComputePipelineAsync.bind(gpu);
  gpu.createComputePipelineAsync = async (descriptor) => {
    const pipeline = await compile(descriptor);
    if (/^decode_(tiles|registers)/.test(descriptor.label ?? '')) costs.set(pipeline, costAt(costs.size));
    return pipeline;
  };
  const encode = gpu.createCommandEncoder.bind(gpu);
  gpu.createCommandEncoder = (descriptor) => {
    const encoder = encode(descriptor);
    const begin = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = (options) => {
      const pass = begin(options);
      const set = pass.setPipeline.bind(pass);
      pass.setPipeline = (pipeline) => {
        recorded += costs.get(pipeline) ?? 0;
        set(pipeline);
      };
      return pass;
    };
    return encoder;
  };
  const { queue } = gpu;
  const submit = queue.submit.bind(queue);
  queue.submit = (commands) => {
    now += recorded;
    recorded = 0;
    submit(commands);
  };
  // A clock that stood still between two readings would have no step.
  return { now: () => (now += 1e-3), sleep: () => Promise.resolve() };
}

async function search(device: GqaDevice, more: Partial<TuneOptions> = {}) {
  const trials: Trial[] = [];
  const tried: { name: string; share: number; after: number }[] = [];
  const running = tune(device, {
    workloads: workloadsAt(SHAPE, [40]),
    seed: 3,
    lastLevelCacheBytes: 2 ** 16,
    onTry: (name, share) => void tried.push({ name, share, after: trials.length }),
    ...more,
  });
  for (;;) {
    const { value, done } = await running.next();
    if (done) return { trials, tried, tuned: value };
    trials.push(value);
  }
}

describe('a search', () => {
  test(
    'begins with the default, takes what is clearly faster than the best so far, and keeps the best, for decoders to take',
    { timeout: 300_000 },
    async () => {
      // Dozens of kernels are compiled.
      // Without timestamps, so that the clock is asked.
      using device = await ownDevice(['subgroups']);
      const { trials, tried, tuned } = await search(device, { clock: inventTimes(device) });
      expect(trials.length).toBeGreaterThan(COSTS.length);
      expect(new Set(trials.map(({ name }) => name)).size).toBe(trials.length);
      expect(tuned.trials).toEqual(trials);
      for (const [n, { ratio }] of trials.entries()) expect(ratio).toBeCloseTo(costAt(n) / costAt(0), 2);
      // 9.9 ms are not clearly less than 10, nor 7.9 than 8.
      expect(trials.flatMap(({ taken }, n) => (taken ? [costAt(n)] : []))).toEqual([10, 8]);
      const { variant, slots } = trials[COSTS.indexOf(8)]!;
      expect(tuned.entry).toEqual({ variant, slots });
      expect(tuned.ratio).toBeCloseTo(0.8, 2);
      // Each is told before it is tried; with what is left around the best so far all of it adds up.
      const told = tried.slice(0, trials.length);
      expect(told.map(({ name, after }) => [name, after])).toEqual(trials.map(({ name }, i) => [name, i]));
      expect(tried.length - trials.length).toBe(1);
      expect(tried[0]!.share).toBe(0);
      expect(told.every(({ share, after }) => share < 1 && (after === 0 || share > 0))).toBe(true);
      expect(tried.at(-1)!.share).toBeGreaterThan(0.5);
      // Nothing splits 40 keys, and slots that split nothing differently are not tried.
      expect(new Set(trials.map((trial) => trial.slots)).size).toBe(1);

      // A decoder that is given what was found takes it.
      const tuning = withEntry(NO_TUNING, tuned.device, tuned.shape, tuned.entry);
      using cache = await createKvCache(device, { numKvHeads: 1, headDim: 32, capacity: 40, kType: 'f16' });
      using decoder = await createDecoder(device, {
        cache,
        numQHeads: 1,
        tuning: parseTuning(JSON.stringify(tuning), 'kept'),
      });
      expect(decoder.context).toMatchObject(tuned.entry);
    },
  );

  test('stops when it is told to, with the reason', async () => {
    using device = await ownDevice(['subgroups']);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(search(device, { signal })).rejects.toThrow('enough');
  });
});
