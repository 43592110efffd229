// report.test.ts: what a cache counts of its appends, what idle() says of it, once, and what truncate and load give up.
import { beforeAll, describe, expect, test } from 'vitest';
import { normals } from '../../src/numbers/random.ts';
import {
  createKvCache,
  GpuError,
  KV_TYPES,
  NotExecutedError,
  NotFiniteError,
  uploadStorage,
  type CacheOptions,
  type GqaDevice,
  type KvCache,
} from '../../src/index.ts';
import { failure, message } from '../support/failure.ts';
import { ownDevice } from '../support/ownDevice.ts';

// Of its own: idle() speaks of all caches of a device.
let device: GqaDevice;
beforeAll(async () => {
  device = await ownDevice();
});

const OPTIONS: CacheOptions = { batch: 2, numKvHeads: 2, headDim: 64, capacity: 16, layers: 3, kType: 'f16' };
const ONE_LAYER = { ...OPTIONS, layers: 1 };
const NAME = 'kv cache of 2 KV heads, head dim 64, capacity 16, K f16, V f16';
const NOTHING = { notFinite: 0, saturated: 0, vanished: 0 };

/** New tokens for both sequences, with some elements set, in buffers. */
function tokens(cache: KvCache, k: Record<number, number>, v: Record<number, number>, numTokens = 1) {
  const rows = [k, v].map((set, i) => {
    const values = normals(i + 1, 2 * 2 * numTokens * 64).map((x) => x || 1);
    for (const [at, value] of Object.entries(set)) values[Number(at)] = value;
    return uploadStorage(cache.device, `row ${i}`, values);
  });
  return { k: rows[0]!, v: rows[1]!, numTokens };
}

async function withCache(use: (cache: KvCache) => Promise<void>, options = OPTIONS): Promise<void> {
  const cache = await createKvCache(device, options);
  try {
    await use(cache);
  } finally {
    cache.destroy();
    await device.idle();
  }
}

describe('report', () => {
  test('of a new cache: nothing', () =>
    withCache(async (cache) => {
      const layer = { k: NOTHING, v: NOTHING, appends: { recorded: 0, executed: 0 } };
      expect(await cache.report()).toEqual({ ...layer, layers: [layer, layer, layer] });
      await device.idle();
    }));

  test('counts per layer, K and V apart, and in total', () =>
    withCache(async (cache) => {
      await cache.append(tokens(cache, { 0: 1e6, 70: -65505, 200: 1e-9 }, {}));
      await cache.append({ ...tokens(cache, {}, { 5: 7e4 }, 3), layer: 2 });
      await cache.append({ ...tokens(cache, {}, { 9: 1e-8, 10: 1e-30 }, 2), layer: 2 });
      const report = await cache.report();
      expect(report.layers).toEqual([
        { k: { ...NOTHING, saturated: 2, vanished: 1 }, v: NOTHING, appends: { recorded: 1, executed: 1 } },
        { k: NOTHING, v: NOTHING, appends: { recorded: 0, executed: 0 } },
        { k: NOTHING, v: { ...NOTHING, saturated: 1, vanished: 2 }, appends: { recorded: 2, executed: 2 } },
      ]);
      expect(report.k).toEqual({ notFinite: 0, saturated: 2, vanished: 1 });
      expect(report.v).toEqual({ notFinite: 0, saturated: 1, vanished: 2 });
      expect(report.appends).toEqual({ recorded: 3, executed: 3 });
      await device.idle(); // these are no errors
    }));

  test('the most layers: each has counters of its own', () =>
    withCache(
      async (cache) => {
        await cache.append({ ...tokens(cache, { 3: 1e6 }, {}), layer: 199 });
        const { layers } = await cache.report();
        expect(layers.map(({ k }) => k.saturated)).toEqual(
          Array.from({ length: 200 }, (_, i) => Number(i === 199)),
        );
      },
      { ...OPTIONS, layers: 200, capacity: 1 },
    ));
});

describe('NaN and infinity', () => {
  test.each(KV_TYPES)('%s: idle() throws once, and again for new ones', (kType) =>
    withCache(
      async (cache) => {
        const name = NAME.replaceAll('f16', kType);
        const said = `${name}: values that are not finite (NaN or infinity) were appended: `;
        await cache.append(tokens(cache, { 1: NaN, 2: Infinity }, { 255: -Infinity }));
        await expect(device.idle()).rejects.toThrow(new NotFiniteError(`${said}layer 0: 2 of K, 1 of V`));
        await device.idle();
        await cache.append({ ...tokens(cache, {}, {}), layer: 1 });
        await device.idle();
        await cache.append({ ...tokens(cache, {}, { 7: NaN }), layer: 1 });
        const error = await failure(NotFiniteError, () => device.idle());
        expect(error).toMatchObject({ code: 'not-finite', message: `${said}layer 1: 0 of K, 1 of V` });
        await device.idle();
        expect(await cache.report()).toMatchObject({ k: { notFinite: 2 }, v: { notFinite: 2 } });
      },
      { ...OPTIONS, kType },
    ),
  );
});

describe('appends that were never executed', () => {
  const said = (list: string) =>
    new NotExecutedError(
      `${NAME}: appends were recorded and counted, but never executed: ${list}; submit what was recorded before idle(), or call cache.truncate(...)`,
    );

  test('an encoder that was abandoned: idle() throws once, with layers and counts', () =>
    withCache(async (cache) => {
      const bound = await cache.bindAppend(tokens(cache, {}, {}));
      const other = await cache.bindAppend({ ...tokens(cache, {}, {}), layer: 2 });
      const encoder = device.device.createCommandEncoder();
      for (let step = 0; step < 5; step++) bound.record(encoder);
      other.record(encoder);
      await expect(device.idle()).rejects.toThrow(said('layer 0: 5; layer 2: 1'));
      await device.idle();
      expect((await cache.report()).appends).toEqual({ recorded: 6, executed: 0 });
    }));

  test('one of several, and executed late: nothing is said twice, nothing is missed', () =>
    withCache(async (cache) => {
      const bound = await cache.bindAppend(tokens(cache, {}, {}));
      const submitted = device.device.createCommandEncoder();
      const late = device.device.createCommandEncoder();
      bound.record(submitted);
      bound.record(late);
      device.device.queue.submit([submitted.finish()]);
      await expect(device.idle()).rejects.toThrow(said('layer 0: 1'));
      device.device.queue.submit([late.finish()]);
      await device.idle();
      bound.record(device.device.createCommandEncoder());
      await expect(device.idle()).rejects.toThrow(said('layer 0: 1'));
    }));

  test('truncate gives them up, before or after idle() said so, and later ones are still expected', () =>
    withCache(async (cache) => {
      const bound = await cache.bindAppend(tokens(cache, {}, {}));
      await cache.append(tokens(cache, {}, {}));
      bound.record(device.device.createCommandEncoder());
      cache.truncate(1);
      await device.idle();
      bound.record(device.device.createCommandEncoder());
      await expect(device.idle()).rejects.toThrow(said('layer 0: 1'));
      cache.truncate(1);
      await device.idle();
      await cache.append(tokens(cache, {}, {}));
      await device.idle();
      cache.truncate(0);
      bound.record(device.device.createCommandEncoder());
      await expect(device.idle()).rejects.toThrow(said('layer 0: 1'));
    }, ONE_LAYER));

  test('load gives up those of its layer alone', () =>
    withCache(async (cache) => {
      const bound = await cache.bindAppend(tokens(cache, {}, {}));
      const other = await cache.bindAppend({ ...tokens(cache, {}, {}), layer: 1 });
      const encoder = device.device.createCommandEncoder();
      bound.record(encoder);
      other.record(encoder);
      const { kBytes, vBytes } = cache.layout;
      cache.load({ k: new Uint8Array(kBytes), v: new Uint8Array(vBytes), kvLens: [0, 0] });
      await expect(device.idle()).rejects.toThrow(said('layer 1: 1'));
    }));

  test('what is recorded while idle() waits is not missed', () =>
    withCache(async (cache) => {
      const bound = await cache.bindAppend(tokens(cache, {}, {}));
      await cache.append(tokens(cache, {}, {}));
      const waiting = device.idle();
      const encoder = device.device.createCommandEncoder();
      bound.record(encoder);
      await waiting.catch(() => {});
      device.device.queue.submit([encoder.finish()]);
      await device.idle();
      expect((await cache.report()).appends).toEqual({ recorded: 2, executed: 2 });
    }));

  test('several caches with something to say: one error, with all of it', () =>
    withCache(async (cache) => {
      const second = await createKvCache(device, { ...OPTIONS, numKvHeads: 2, capacity: 17 });
      await cache.append(tokens(cache, { 0: NaN }, {}));
      (await second.bindAppend(tokens(second, {}, {}))).record(device.device.createCommandEncoder());
      const text = await message(GpuError, () => device.idle());
      expect(text).toContain('capacity 16');
      expect(text).toContain('layer 0: 1 of K, 0 of V');
      expect(text).toContain('capacity 17');
      expect(text).toContain('never executed: layer 0: 1;');
      await device.idle();
      second.destroy();
    }));

  test('a cache that was destroyed says nothing', async () => {
    const cache = await createKvCache(device, OPTIONS);
    (await cache.bindAppend(tokens(cache, {}, {}))).record(device.device.createCommandEncoder());
    cache.destroy();
    await device.idle();
    await expect(cache.report()).rejects.toThrow('the kv cache was destroyed');
  });

  test('a cache that is destroyed while idle() waits is no error', async () => {
    const cache = await createKvCache(device, OPTIONS);
    await cache.append(tokens(cache, {}, {}));
    const waiting = device.idle();
    cache.destroy();
    await waiting;
    await device.idle();
  });
});
