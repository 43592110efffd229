// forks.test.ts: sequences that come and go: forks, resets and truncations of one, in order with appends.
import { describe, expect, test, vi } from 'vitest';
import {
  createKvCache,
  createStorage,
  decodeRows,
  ForeignDeviceError,
  GpuError,
  NotExecutedError,
  readBack,
  ShapeError,
  uploadStorage,
  type GqaDevice,
  type KvCache,
} from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { failure, message } from '../support/failure.ts';
import { ownDevice } from '../support/ownDevice.ts';

const SHAPE = { batch: 3, numKvHeads: 2, headDim: 64, capacity: 8, layers: 2 } as const;
const ROWS = 4;

/** A cache of three sequences in two layers, and an append of rows whose elements are all `first`, `first` + 1 and so on. */
async function threeSequences(device: GqaDevice) {
  const cache = await createKvCache(device, { ...SHAPE, kType: 'int8', vType: 'f16' });
  const append = async (first: number, numTokens: readonly number[], layers: readonly number[] = [0, 1]) => {
    const values = Float32Array.from(
      { length: 6 * ROWS * 64 },
      (_, i) => first + (Math.floor(i / 64) % ROWS),
    );
    const [k, v] = [uploadStorage(device, 'k', values), uploadStorage(device, 'v', values)];
    for (const layer of layers) await cache.append({ layer, k, v, numTokens: ROWS }, { numTokens });
  };
  return { cache, append };
}

/** What the tokens of each sequence are in a layer, the same in all heads and elements of K and V: NaN where they differ. */
async function tokensOf(cache: KvCache, layer: number): Promise<number[][]> {
  const { layout, device } = cache;
  const [k, v] = await Promise.all(
    (['k', 'v'] as const).map(async (of) =>
      decodeRows(layout[of], new Uint8Array(await readBack(device, cache.layers[layer]![of]))),
    ),
  );
  const value = (b: number, t: number) => {
    const rows = [k!, v!].flatMap((all) =>
      [0, 1].map((hk) => all.subarray(((2 * b + hk) * 8 + t) * 64, ((2 * b + hk) * 8 + t + 1) * 64)),
    );
    const all = new Set(rows.flatMap((row) => [...row].map((x) => Math.round(x))));
    return all.size === 1 ? [...all][0]! : NaN;
  };
  return cache.kvLens(layer).map((kvLen, b) => Array.from({ length: kvLen }, (_, t) => value(b, t)));
}

describe('fork', () => {
  test('copies what a sequence holds in every layer; both then go their own ways', async () => {
    const device = await testDevice();
    const { cache, append } = await threeSequences(device);
    await append(1, [3, 2, 0]);
    await append(50, [1, 0, 0], [1]);
    await cache.fork(0, 2);
    await append(20, [1, 1, 2]);
    expect(await tokensOf(cache, 0)).toEqual([
      [1, 2, 3, 20],
      [1, 2, 20],
      [1, 2, 3, 20, 21],
    ]);
    expect(await tokensOf(cache, 1)).toEqual([
      [1, 2, 3, 50, 20],
      [1, 2, 20],
      [1, 2, 3, 50, 20, 21],
    ]);
    await device.idle();
    expect((await cache.report()).appends).toEqual({ recorded: 7, executed: 7 }); // five appends, a fork of each layer
    cache.destroy();
  });

  test('takes effect where it was called or recorded, between appends', async () => {
    const device = await testDevice();
    const { cache, append } = await threeSequences(device);
    await Promise.all([
      append(1, [2, 0, 0], [0]),
      cache.fork(0, 1),
      append(7, [1, 0, 0], [0]),
      cache.fork(0, 2),
    ]);
    expect(await tokensOf(cache, 0)).toEqual([
      [1, 2, 7],
      [1, 2],
      [1, 2, 7],
    ]);
    const values = new Float32Array(6 * 64).fill(9);
    const rows = { k: uploadStorage(device, 'k', values), v: uploadStorage(device, 'v', values) };
    const bound = await cache.bindAppend(rows);
    const encoder = device.gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    bound.record(pass);
    cache.recordFork(pass, 1, 0);
    bound.record(pass, { numTokens: [1, 0, 0] });
    pass.end();
    cache.recordFork(encoder, 0, 2);
    device.gpu.queue.submit([encoder.finish()]);
    expect(await tokensOf(cache, 0)).toEqual([
      [1, 2, 9, 9],
      [1, 2, 9],
      [1, 2, 9, 9],
    ]);
    await device.idle();
    cache.destroy();
  });

  test('of an empty sequence leaves an empty one', async () => {
    const { cache, append } = await threeSequences(await testDevice());
    await append(1, [0, 3, 0]);
    await cache.fork(0, 1);
    expect(cache.kvLens()).toEqual([0, 0, 0]);
    cache.destroy();
  });

  test.each<[string, number, number, RegExp]>([
    ['a sequence that is not there', 3, 0, /^fork: from: expected .* 0 to 2, got 3$/],
    ['to one that is not there', 0, -1, /^fork: to: expected .* 0 to 2, got -1$/],
    ['a sequence to itself', 1, 1, /^fork: to: expected another sequence than from, got 1 for both$/],
  ])('of %s is refused', async (_name, from, to, expected) => {
    const device = await testDevice();
    const { cache, append } = await threeSequences(device);
    await append(1, [1, 2, 3]);
    expect(await message(ShapeError, () => cache.fork(from, to))).toMatch(expected);
    const encoder = device.gpu.createCommandEncoder();
    expect(await message(ShapeError, () => cache.recordFork(encoder, from, to))).toMatch(expected);
    expect(cache.kvLens()).toEqual([1, 2, 3]);
    cache.destroy();
  });

  test('into what is no open encoder of the device is refused, and nothing is counted', async () => {
    using other = await ownDevice();
    const device = await testDevice();
    const { cache, append } = await threeSequences(device);
    await append(1, [1, 2, 3]);
    const finished = device.gpu.createCommandEncoder();
    finished.finish();
    await failure(ShapeError, () => cache.recordFork(finished, 0, 1));
    await failure(ForeignDeviceError, () => cache.recordFork(other.gpu.createCommandEncoder(), 0, 1));
    expect(cache.kvLens()).toEqual([1, 2, 3]);
    expect((await cache.report()).appends).toEqual({ recorded: 2, executed: 2 });
    cache.destroy();
  });

  test('whose submit is refused leaves an empty sequence, and all else as it was', async () => {
    using device = await ownDevice();
    const { cache, append } = await threeSequences(device);
    await append(1, [1, 2, 3]);
    const submit = device.gpu.queue.submit.bind(device.gpu.queue);
    vi.spyOn(device.gpu.queue, 'submit').mockImplementationOnce((commands) => {
      cache.layers[0]!.k.buffer.destroy();
      return submit(commands);
    });
    await failure(GpuError, () => cache.fork(0, 2));
    expect([cache.kvLens(0), cache.kvLens(1)]).toEqual([
      [1, 2, 0],
      [1, 2, 0],
    ]);
    await device.idle();
  });

  test('is refused while an append is recorded only, for its rows would not be copied', async () => {
    using device = await ownDevice();
    const { cache, append } = await threeSequences(device);
    await append(1, [1, 2, 3]);
    const rows = createStorage(device, 'rows', 6 * 64 * 4);
    const encoder = device.gpu.createCommandEncoder();
    (await cache.bindAppend({ layer: 1, k: rows, v: rows })).record(encoder);
    expect(await message(ShapeError, () => cache.fork(0, 2))).toBe(
      'fork: expected all appends and forks to be submitted, got 1 of layer 1 that are only recorded',
    );
    device.gpu.queue.submit([encoder.finish()]);
    await cache.fork(0, 2);
    expect(cache.kvLens(1)).toEqual([2, 3, 2]);
    await device.idle();
  });

  test('that was recorded and never submitted comes out of idle()', async () => {
    using device = await ownDevice();
    const { cache, append } = await threeSequences(device);
    await append(1, [1, 2, 3]);
    cache.recordFork(device.gpu.createCommandEncoder(), 1, 0);
    await device.idle(); // it may still be submitted
    await append(5, [0, 0, 1]);
    const error = await failure(NotExecutedError, () => device.idle());
    expect(error.message).toMatch(/layer 0: 1; layer 1: 1/);
    cache.reset(0);
    await device.idle();
  });
});

test('a batch of 256: each takes its own number of tokens, and any forks any', async () => {
  const device = await testDevice();
  const cache = await createKvCache(device, { batch: 256, numKvHeads: 1, headDim: 64, capacity: 4 });
  const values = Float32Array.from({ length: 256 * 3 * 64 }, (_, i) => Math.floor(i / 64)); // row n of sequence b: 3 b + n
  const rows = { k: uploadStorage(device, 'k', values), v: uploadStorage(device, 'v', values), numTokens: 3 };
  const counts = Array.from({ length: 256 }, (_, b) => b % 4);
  await cache.append(rows, { numTokens: counts });
  await cache.fork(254, 0);
  await cache.fork(3, 255);
  const expected = counts.map((count, b) => Array.from({ length: count }, (_, n) => 3 * b + n));
  [expected[0], expected[255]] = [expected[254]!, expected[3]!];
  expect(cache.kvLens()).toEqual(expected.map(({ length }) => length));
  const k = new Float32Array(await readBack(device, cache.layers[0]!.k));
  const got = cache
    .kvLens()
    .map((kvLen, b) => Array.from({ length: kvLen }, (_, t) => k[(4 * b + t) * 64 + 63]));
  expect(got).toEqual(expected);
  cache.destroy();
});

describe('one sequence', () => {
  test('goes and makes room for another, while the others stay where they are', async () => {
    const device = await testDevice();
    const { cache, append } = await threeSequences(device);
    await append(1, [4, 4, 4]);
    await append(5, [1, 4, 1]);
    cache.reset(1);
    await append(30, [1, 2, 0]);
    const expected = [
      [1, 2, 3, 4, 5, 30],
      [30, 31],
      [1, 2, 3, 4, 5],
    ];
    expect([await tokensOf(cache, 0), await tokensOf(cache, 1)]).toEqual([expected, expected]);
    cache.destroy();
  });

  test('takes back rejected tokens, in all layers', async () => {
    const device = await testDevice();
    const { cache, append } = await threeSequences(device);
    await append(1, [4, 4, 4]);
    cache.truncate(2, { sequence: 2 });
    await append(9, [0, 0, 1]);
    const expected = [
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [1, 2, 9],
    ];
    expect([await tokensOf(cache, 0), await tokensOf(cache, 1)]).toEqual([expected, expected]);
    cache.destroy();
  });

  test('is truncated where every layer holds enough, or not at all', async () => {
    const device = await testDevice();
    const { cache, append } = await threeSequences(device);
    await append(1, [4, 4, 4]);
    await append(9, [0, 2, 0], [0]);
    expect(await message(ShapeError, () => cache.truncate(5, { sequence: 1 }))).toBe(
      'truncate: sequence 1 of layer 1 holds 4 tokens, cannot keep 5',
    );
    for (const act of [
      () => cache.truncate([1, 1, 1], { sequence: 1 }),
      () => cache.truncate(1, { sequence: 3 }),
      () => cache.truncate(1, { b: 1 } as never),
      () => cache.truncate(-1, { sequence: 1 }),
      () => cache.reset(3),
      () => cache.reset(undefined as never),
    ]) {
      await failure(ShapeError, act);
    }
    expect([cache.kvLens(0), cache.kvLens(1)]).toEqual([
      [4, 6, 4],
      [4, 4, 4],
    ]);
    cache.destroy();
  });

  test('that is truncated does not hide appends of others that never ran', async () => {
    using device = await ownDevice();
    const { cache, append } = await threeSequences(device);
    await append(1, [1, 1, 1]);
    const rows = new Float32Array(6 * 64);
    const args = { k: uploadStorage(device, 'k', rows), v: uploadStorage(device, 'v', rows) };
    (await cache.bindAppend(args)).record(device.gpu.createCommandEncoder());
    cache.reset(2);
    await cache.append(args);
    await failure(NotExecutedError, () => device.idle());
  });
});
