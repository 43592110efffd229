// tune.test.ts: the search for the fastest variant: every step of it on a real device, and what it leaves behind.
import { describe, expect, test } from 'vitest';
import { bedsAt, tune, type Trial } from '../../../bench/tune/tune.ts';
import { createDecoder, createKvCache, NO_TUNING, parseTuning, withEntry } from '../../../src/index.ts';
import { testDevice } from '../../support/device.ts';

const device = await testDevice();

// One KV head of few keys: a shader of it compiles fast.
const SHAPE = {
  model: 'test',
  heads: 2,
  kvHeads: 1,
  headDim: 64,
  batch: 1,
  kType: 'f16',
  vType: 'f16',
} as const;

async function search(signal?: AbortSignal) {
  const trials: Trial[] = [];
  const tried: { name: string; share: number; after: number }[] = [];
  const running = tune(device, {
    beds: bedsAt(SHAPE, [40]),
    seed: 3,
    lastLevelCacheBytes: 2 ** 16,
    onTry: (name, share) => void tried.push({ name, share, after: trials.length }),
    ...(signal && { signal }),
  });
  for (;;) {
    const { value, done } = await running.next();
    if (done) return { trials, tried, tuned: value };
    trials.push(value);
  }
}

const lastTaken = (trials: readonly Trial[]) => trials.findLast(({ taken }) => taken);

describe('a search', () => {
  test('begins with the default, times others against the best, and keeps what was clearly faster, for decoders to take', async () => {
    const { trials, tried, tuned } = await search();
    expect(trials[0]).toMatchObject({ ratio: 1, taken: true });
    expect(trials.length).toBeGreaterThan(5);
    expect(new Set(trials.map(({ name }) => name)).size).toBe(trials.length);
    expect(tuned.trials).toEqual(trials);
    // Each is told before it is tried; with what is left around the best so far all of it adds up.
    const told = tried.slice(0, trials.length);
    expect(told.map(({ name, after }) => [name, after])).toEqual(trials.map(({ name }, i) => [name, i]));
    expect(tried.length - trials.length).toBe(lastTaken(trials) === trials[0] ? 0 : 1);
    expect(tried[0]!.share).toBe(0);
    expect(told.every(({ share, after }) => share < 1 && (after === 0 || share > 0))).toBe(true);
    expect(tried.at(-1)!.share).toBeGreaterThan(0.5);
    // What was kept is the last that was taken, or the default where it was not faster when timed again.
    const kept = [lastTaken(trials), trials[0]].map((trial) => ({
      variant: trial!.variant,
      slots: trial!.slots,
    }));
    expect(kept).toContainEqual(tuned.entry);
    expect(tuned.ratio).toBeLessThanOrEqual(1);
    let best = 1;
    for (const { taken, ratio } of trials.slice(1)) {
      if (!taken) continue;
      expect(ratio).toBeLessThan(0.97 * best);
      best = ratio!;
    }
    // Nothing splits 40 keys, and slots that split nothing differently are not tried.
    expect(new Set(trials.map(({ slots }) => slots)).size).toBe(1);

    // A decoder that is given what was found takes it.
    const tuning = withEntry(NO_TUNING, tuned.device, tuned.shape, tuned.entry);
    using cache = await createKvCache(device, { numKvHeads: 1, headDim: 64, capacity: 40, kType: 'f16' });
    using decoder = await createDecoder(device, {
      cache,
      numQHeads: 2,
      tuning: parseTuning(JSON.stringify(tuning), 'kept'),
    });
    expect(decoder.context).toMatchObject(tuned.entry);
  });

  test('stops when it is told to, with the reason', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(search(signal)).rejects.toThrow('enough');
  });
});
