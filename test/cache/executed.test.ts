// executed.test.ts: which appends idle() misses: those that were refused or passed over, none that may still be submitted.
import { describe, expect, test } from 'vitest';
import {
  createDecoder,
  createKvCache,
  createStorage,
  GpuError,
  NotExecutedError,
  type KvCache,
} from '../../src/index.ts';
import { message } from '../support/failure.ts';
import { device, NAME, opensDevice, OPTIONS, tokens, withCache } from '../support/reportedCache.ts';

opensDevice();

describe('appends that were not executed', () => {
  const said = (list: string) =>
    new NotExecutedError(
      `${NAME}: appends or forks were recorded and counted, but not executed: ${list}; their submit was refused, or work recorded later was submitted first; cache.truncate() to the lengths known to be good puts that right`,
    );

  /** Appends of a token to layer 0 or 2, and how to abandon some: they are recorded, and other appends behind them submitted. */
  async function appends(cache: KvCache) {
    const args = tokens(cache, {}, {});
    const bound = await Promise.all(cache.layers.map((_, layer) => cache.bindAppend({ ...args, layer })));
    const encoder = () => device.gpu.createCommandEncoder();
    const submit = (...encoders: GPUCommandEncoder[]) =>
      device.gpu.queue.submit(encoders.map((each) => each.finish()));
    return { args, bound, encoder, submit };
  }

  test('an encoder that was abandoned: idle() throws once, with layers and counts, when later work was submitted', () =>
    withCache(async (cache) => {
      const { args, bound, encoder, submit } = await appends(cache);
      const abandoned = encoder();
      for (let step = 0; step < 5; step++) bound[0]!.record(abandoned);
      bound[2]!.record(abandoned);
      await device.idle();
      await cache.append(args);
      await expect(device.idle()).rejects.toThrow(said('layer 0: 5'));
      await device.idle();
      const next = encoder();
      bound[2]!.record(next);
      submit(next);
      await expect(device.idle()).rejects.toThrow(said('layer 2: 1'));
      await device.idle();
      expect((await cache.report()).appends).toEqual({ recorded: 8, executed: 2 });
    }));

  test('a step that was submitted needs them: idle() throws', () =>
    withCache(async (cache) => {
      const { bound, encoder } = await appends(cache);
      using decoder = await createDecoder(device, { cache, numQHeads: 2 });
      const buffers = ['q', 'o'].map((name) => createStorage(device, name, 2 * 2 * 64 * 4));
      const step = await decoder.bind({ layer: 2, q: buffers[0]!, o: buffers[1]! });
      for (const append of bound) append.record(encoder());
      await device.idle();
      step.run(decoder.plan({ kvLens: cache.kvLens() }));
      await expect(device.idle()).rejects.toThrow(said('layer 2: 1'));
    }));

  test.each<[string, (record: (encoder: GPUCommandEncoder) => void) => () => void]>([
    [
      'an open encoder',
      (record) => {
        const encoder = device.gpu.createCommandEncoder();
        record(encoder);
        return () => device.gpu.queue.submit([encoder.finish()]);
      },
    ],
    [
      'an open pass',
      (record) => {
        const encoder = device.gpu.createCommandEncoder();
        const pass = encoder.beginComputePass();
        record(pass as never);
        return () => {
          pass.end();
          device.gpu.queue.submit([encoder.finish()]);
        };
      },
    ],
    [
      'command buffers that wait',
      (record) => {
        const encoders = [0, 1, 2].map(() => device.gpu.createCommandEncoder());
        for (const encoder of encoders) record(encoder);
        const commands = encoders.map((encoder) => encoder.finish());
        return () => device.gpu.queue.submit(commands);
      },
    ],
    [
      'encoders that are submitted one by one, from an iterator',
      (record) => {
        const encoders = [0, 1, 2].map(() => device.gpu.createCommandEncoder());
        for (const encoder of encoders) record(encoder);
        return () => {
          for (const encoder of encoders) device.gpu.queue.submit([encoder.finish()].values() as never);
        };
      },
    ],
  ])('nothing is said of work that may still be submitted: %s', (_, start) =>
    withCache(async (cache) => {
      const { args, bound } = await appends(cache);
      await cache.append(args);
      const submit = start((encoder) => {
        bound[0]!.record(encoder);
        bound[1]!.record(encoder);
      });
      await device.idle();
      submit();
      await device.idle();
      const { recorded, executed } = (await cache.report()).appends;
      expect(executed).toBe(recorded);
    }),
  );

  test('one of several, and executed late: nothing is said twice, nothing is missed', () =>
    withCache(async (cache) => {
      const { bound, encoder, submit } = await appends(cache);
      const late = encoder();
      const submitted = encoder();
      bound[0]!.record(late);
      bound[0]!.record(submitted);
      submit(submitted);
      await expect(device.idle()).rejects.toThrow(said('layer 0: 1'));
      submit(late);
      await device.idle();
      const again = encoder();
      bound[0]!.record(encoder());
      bound[0]!.record(again);
      submit(again);
      await expect(device.idle()).rejects.toThrow(said('layer 0: 1'));
    }));

  test('truncate gives them up, before or after idle() said so, and later ones are still expected', () =>
    withCache(
      async (cache) => {
        const { args, bound, encoder } = await appends(cache);
        const abandon = async () => {
          bound[0]!.record(encoder());
          await cache.append(args);
        };
        await cache.append(args);
        await abandon();
        cache.truncate(1);
        await device.idle();
        await abandon();
        await expect(device.idle()).rejects.toThrow(said('layer 0: 1'));
        cache.truncate(1);
        await device.idle();
        await cache.append(args);
        await device.idle();
        cache.truncate(0);
        await abandon();
        await expect(device.idle()).rejects.toThrow(said('layer 0: 1'));
      },
      { ...OPTIONS, layers: 1 },
    ));

  test('truncate gives up what is recorded and not submitted, whatever becomes of it', () =>
    withCache(async (cache) => {
      const { args, bound, encoder, submit } = await appends(cache);
      const open = encoder();
      bound[0]!.record(open);
      cache.truncate(0);
      await cache.append(args);
      await device.idle();
      bound[1]!.record(open);
      await device.idle();
      submit(open);
      await device.idle();
      expect((await cache.report()).appends).toEqual({ recorded: 3, executed: 3 });
    }));

  test('load gives up those of its layer alone', () =>
    withCache(async (cache) => {
      const { args, bound, encoder } = await appends(cache);
      const abandoned = encoder();
      bound[0]!.record(abandoned);
      bound[1]!.record(abandoned);
      const { kBytes, vBytes } = cache.layout;
      cache.load({ k: new Uint8Array(kBytes), v: new Uint8Array(vBytes), kvLens: [0, 0] });
      for (const layer of [0, 1]) await cache.append({ ...args, layer });
      await expect(device.idle()).rejects.toThrow(said('layer 1: 1'));
    }));

  test('what is recorded while idle() waits is not missed', () =>
    withCache(async (cache) => {
      const bound = await cache.bindAppend(tokens(cache, {}, {}));
      await cache.append(tokens(cache, {}, {}));
      const waiting = device.idle();
      const encoder = device.gpu.createCommandEncoder();
      bound.record(encoder);
      await waiting.catch(() => {});
      device.gpu.queue.submit([encoder.finish()]);
      await device.idle();
      expect((await cache.report()).appends).toEqual({ recorded: 2, executed: 2 });
    }));

  test('several caches with something to say: one error, with all of it', () =>
    withCache(async (cache) => {
      const second = await createKvCache(device, { ...OPTIONS, numKvHeads: 2, capacity: 17 });
      await cache.append(tokens(cache, { 0: NaN }, {}));
      (await second.bindAppend(tokens(second, {}, {}))).record(device.gpu.createCommandEncoder());
      await second.append(tokens(second, {}, {}));
      const text = await message(GpuError, () => device.idle());
      expect(text).toContain('capacity 16');
      expect(text).toContain('layer 0: 1 of K, 0 of V');
      expect(text).toContain('capacity 17');
      expect(text).toContain('not executed: layer 0: 1;');
      await device.idle();
      second.destroy();
    }));

  test('a cache that was destroyed says nothing of them', async () => {
    const cache = await createKvCache(device, OPTIONS);
    const { args, bound, encoder } = await appends(cache);
    bound[0]!.record(encoder());
    await cache.append(args);
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
