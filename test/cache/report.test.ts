// report.test.ts: what a cache counts of its appends, and what idle() says of NaN and infinity among them, once.
import { describe, expect, test } from 'vitest';
import { createKvCache, createStorage, GpuError, KV_TYPES, NotFiniteError } from '../../src/index.ts';
import { messageOf } from '../../src/device/errors.ts';
import { failure } from '../support/failure.ts';
import { ownDevice } from '../support/ownDevice.ts';
import { device, NAME, opensDevice, OPTIONS, tokens, withCache } from '../support/reportedCache.ts';

opensDevice();

const NOTHING = { notFinite: 0, saturated: 0, vanished: 0 };

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

describe('NaN in a cache that was destroyed', () => {
  const said = `${NAME}: values that are not finite (NaN or infinity) were appended: layer 0: 1 of K, 0 of V`;
  const poisoned = async (on = device) => {
    const cache = await createKvCache(on, OPTIONS);
    await cache.append(tokens(cache, { 1: NaN }, {}));
    return cache;
  };

  test('comes out of the next idle(), once, and of no other call', async () => {
    (await poisoned()).destroy();
    createStorage(device, 'other', 4).destroy();
    await expect(device.idle()).rejects.toThrow(new NotFiniteError(said));
    await device.idle();
  });

  test('also where idle() waits already', async () => {
    const cache = await poisoned();
    const waiting = device.idle();
    cache.destroy();
    const errors = [await waiting.catch(messageOf), await device.idle().catch(messageOf)];
    expect(errors.filter((error) => error !== undefined)).toEqual([said]);
  });

  test('is not told again where idle() has told it', async () => {
    const cache = await poisoned();
    await expect(device.idle()).rejects.toThrow(NotFiniteError);
    cache.destroy();
    await device.idle();
  });

  test('leaves what the device has reported to the call that would have told it', async () => {
    using own = await ownDevice();
    const cache = await poisoned(own);
    own.gpu.createBuffer({ size: 4, usage: 0x8000 });
    await own.gpu.queue.onSubmittedWorkDone();
    cache.destroy();
    await failure(GpuError, () => createStorage(own, 'other', 4));
    await expect(own.idle()).rejects.toThrow(new NotFiniteError(said));
  });

  test('is no error of a device that was destroyed too', async () => {
    const own = await ownDevice();
    (await poisoned(own)).destroy();
    own.destroy();
    await own.lost;
  });
});
