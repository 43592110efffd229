// paged.test.ts: caches of pages on the device: the same bits as a cache without, whatever the order of the pages.
import { describe, expect, test } from 'vitest';
import {
  createDecoder,
  createKvCache,
  createStorage,
  GqaError,
  NotExecutedError,
  OutOfPagesError,
  readBack,
  ShapeError,
  uploadStorage,
  type DecodeKernel,
  type KvCache,
  type KvType,
} from '../../src/index.ts';
import { normals } from '../../src/numbers/random.ts';
import { testDevice } from '../support/device.ts';
import { failure, message } from '../support/failure.ts';

const device = await testDevice();

const SHAPE = { batch: 3, numKvHeads: 2, headDim: 32, capacity: 300 } as const;
/** Of a step over it. */
const Q_HEADS = 4;
const Q_ROWS = SHAPE.batch * Q_HEADS;

/** Appends `counts` tokens to each sequence, the same to both caches, in chunks of `chunk`. */
async function fill(caches: readonly KvCache[], counts: readonly number[], chunk: number): Promise<void> {
  const { batch, numKvHeads, headDim } = SHAPE;
  const left = [...counts];
  for (let seed = 1; left.some((count) => count > 0); seed++) {
    const rows = normals(seed, 2 * batch * numKvHeads * chunk * headDim);
    const [k, v] = [rows.slice(0, rows.length / 2), rows.slice(rows.length / 2)].map((values) =>
      uploadStorage(device, 'rows', values),
    );
    const numTokens = left.map((count) => Math.min(chunk, count));
    for (const cache of caches) await cache.append({ k: k!, v: v!, numTokens: chunk }, { numTokens });
    numTokens.forEach((count, b) => (left[b]! -= count));
  }
}

/** o and lse of a step over all that a cache holds. */
async function attend(cache: KvCache, kernel: DecodeKernel, numSplits?: number): Promise<Float32Array[]> {
  const decoder = await createDecoder(device, { cache, numQHeads: Q_HEADS, kernel, fixedSplits: true });
  try {
    const q = uploadStorage(device, 'q', normals(99, Q_ROWS * SHAPE.headDim));
    const [o, lse] = [Q_ROWS * SHAPE.headDim, Q_ROWS].map((count) => createStorage(device, 'out', count * 4));
    const step = await decoder.bind({ q, o: o!, lse: lse! });
    step.run(decoder.plan({ kvLens: cache.kvLens(), ...(numSplits && { numSplits }) }));
    return await Promise.all([o!, lse!].map(async (out) => new Float32Array(await readBack(device, out))));
  } finally {
    decoder.destroy();
  }
}

/** Takes and gives back pages, so that the free ones are in no order. */
async function scramble(cache: KvCache): Promise<void> {
  await fill([cache], [200, 90, 150], 64);
  cache.reset(1);
  cache.truncate(30, { sequence: 0 });
  await fill([cache], [0, 70, 0], 64);
  for (const b of [2, 0, 1]) cache.reset(b);
  expect(cache.freePages).toBe(cache.layout.pages);
}

describe.each([
  ['f16', 'f16', 8, ['registers', 'tiles', 'prefill']],
  ['int8', 'int4', 32, ['registers']],
  ['int4', 'int8', 16, ['tiles', 'plain']],
  ['bf16', 'f32', 256, ['registers']],
] as const)('K %s, V %s, pages of %i', (kType, vType, pageSize, kernels) => {
  const types: { kType: KvType; vType: KvType } = { kType, vType };

  test('attend to the same bits', async () => {
    const whole = await createKvCache(device, { ...SHAPE, ...types });
    const paged = await createKvCache(device, { ...SHAPE, ...types, pageSize });
    try {
      await scramble(paged);
      await fill([whole, paged], [259, 8, 33], 37);
      for (const kernel of kernels) {
        if (kernel === 'registers' && !device.facts.subgroups) continue;
        for (const numSplits of kernel === 'plain' ? [undefined] : [undefined, 3]) {
          const [wanted, got] = [
            await attend(whole, kernel, numSplits),
            await attend(paged, kernel, numSplits),
          ];
          expect(wanted[0]!.every(Number.isFinite)).toBe(true);
          expect(got, `${kernel}, ${numSplits} splits`).toEqual(wanted);
        }
      }
      await device.idle();
    } finally {
      whole.destroy();
      paged.destroy();
    }
  });
});

describe('a pool', () => {
  const options = { ...SHAPE, kType: 'f16', pageSize: 16, pages: 5 } as const;

  test('that is full refuses an append and a plan, and says how many pages are missing; the cache is as before', async () => {
    const cache = await createKvCache(device, options);
    const decoder = await createDecoder(device, { cache, numQHeads: Q_HEADS });
    await fill([cache], [33, 16, 0], 33); // three pages and one
    const rows = uploadStorage(device, 'rows', normals(1, 3 * 2 * 33 * SHAPE.headDim));
    const append = cache.append({ k: rows, v: rows, numTokens: 33 }, { numTokens: [16, 1, 17] });
    const error = await failure(OutOfPagesError, () => append);
    expect(error.missing).toBe(3); // one, one and two, and one is free
    expect(error).toBeInstanceOf(GqaError);
    expect((await failure(OutOfPagesError, () => decoder.plan({ kvLens: [65, 17, 0] }))).missing).toBe(2);
    expect([cache.kvLens(), cache.freePages]).toEqual([[33, 16, 0], 1]);
    await cache.append({ k: rows, v: rows, numTokens: 33 }, { numTokens: [0, 16, 0] });
    expect([cache.kvLens(), cache.freePages]).toEqual([[33, 32, 0], 0]);
    decoder.destroy();
    cache.destroy();
  });

  test('shared by forks holds more tokens than it has slots', async () => {
    const cache = await createKvCache(device, options);
    await fill([cache], [64, 0, 0], 64);
    await cache.fork(0, 1);
    await cache.fork(0, 2);
    expect([cache.kvLens(), cache.freePages]).toEqual([[64, 64, 64], 1]);
    cache.reset(0);
    expect(cache.freePages).toBe(1);
    cache.reset(1);
    cache.reset(2);
    expect(cache.freePages).toBe(5);
    cache.destroy();
  });

  test('memory is what its pages take, not what the sequences could hold', async () => {
    const cache = await createKvCache(device, options);
    expect(cache.layout.kBytes).toBe(5 * 2 * 16 * SHAPE.headDim * 2);
    expect(cache.allocatedBytes).toBe(2 * cache.layout.kBytes);
    cache.destroy();
  });
});

test('a plan of before its pages changed is refused', async () => {
  const cache = await createKvCache(device, { ...SHAPE, pageSize: 8 });
  const decoder = await createDecoder(device, { cache, numQHeads: Q_HEADS });
  await fill([cache], [20, 0, 0], 20);
  const [q, o] = [1, 2].map(() => createStorage(device, 'qo', Q_ROWS * SHAPE.headDim * 4));
  const step = await decoder.bind({ q: q!, o: o! });
  const plan = decoder.plan({ kvLens: [20, 0, 0] });
  step.run(plan);
  cache.reset(0);
  await fill([cache], [0, 20, 0], 20); // in the same pages
  await fill([cache], [20, 0, 0], 20);
  expect(await message(ShapeError, () => step.run(plan))).toBe(
    'record: layer 0, sequence 0: expected a plan made since its pages changed, got one of before',
  );
  step.run(decoder.plan({ kvLens: [20, 20, 0] }));
  await device.idle();
  decoder.destroy();
  cache.destroy();
});

/** Two sequences that share a page with 5 tokens, and a decoder of them. */
async function twoOnOnePage() {
  const cache = await createKvCache(device, { ...SHAPE, pageSize: 8 });
  const decoder = await createDecoder(device, { cache, numQHeads: Q_HEADS });
  await fill([cache], [5, 0, 0], 5);
  await cache.fork(0, 1);
  const q = uploadStorage(device, 'q', normals(99, Q_ROWS * SHAPE.headDim));
  const o = createStorage(device, 'o', Q_ROWS * SHAPE.headDim * 4);
  const step = await decoder.bind({ q, o });
  const run = async (kvLens: number[]) => {
    step.run(decoder.plan({ kvLens }));
    return new Float32Array(await readBack(device, o));
  };
  return { cache, decoder, step, o, run };
}

describe('a plan that takes a copy of a shared page', () => {
  test('and is never recorded: a step over what was there reads it all the same', async () => {
    const { cache, decoder, run } = await twoOnOnePage();
    const before = await run([5, 5, 0]);
    decoder.plan({ kvLens: [5, 6, 0] });
    expect(await run([5, 5, 0])).toEqual(before);
    decoder.destroy();
    cache.destroy();
  });

  test('before the page it is of is restored to something else', async () => {
    const { cache, decoder, run } = await twoOnOnePage();
    const before = await run([0, 5, 0]);
    const other = await createKvCache(device, { ...SHAPE, pageSize: 8 });
    await fill([other], [0, 0, 5], 5);
    const saved = await other.snapshot({ sequence: 2 });
    decoder.plan({ kvLens: [5, 6, 0] });
    await cache.restore(saved, { sequence: 0 });
    expect(await run([0, 5, 0])).toEqual(before);
    for (const each of [decoder, cache, other]) each.destroy();
  });

  test('in an encoder that was dropped: idle says so, and after truncate the copy is made', async () => {
    const { cache, decoder, step, o, run } = await twoOnOnePage();
    const before = await run([5, 5, 0]);
    const rows = uploadStorage(device, 'rows', normals(3, 3 * 2 * SHAPE.headDim));
    const append = await cache.bindAppend({ k: rows, v: rows });
    append.record(device.gpu.createCommandEncoder(), { numTokens: [0, 1, 0] });
    step.run(decoder.plan({ kvLens: [5, 5, 0] }));
    await failure(NotExecutedError, () => device.idle());
    cache.truncate([5, 5, 0]);
    expect(await run([5, 5, 0])).toEqual(before);
    expect(new Float32Array(await readBack(device, o))).toEqual(before);
    await device.idle();
    decoder.destroy();
    cache.destroy();
  });
});

test.each([
  [{ pageSize: 12 }, ShapeError, 'cache: pageSize must be one of 8, 16, 32, 64, 128, 256, got 12'],
  [{ pages: 4 }, ShapeError, 'cache: pages: expected a pageSize beside it, got 4 alone'],
  [{ pageSize: 8, pages: 0 }, ShapeError, 'cache: pages: expected a whole number from 1 to 16777216, got 0'],
] as const)('%o is refused', async (options, ErrorClass, text) => {
  const error = await failure(ErrorClass, () => createKvCache(device, { ...SHAPE, ...options }));
  expect(error.message).toMatch(text);
});

test('bytes of another layout cannot be loaded', async () => {
  const cache = await createKvCache(device, { ...SHAPE, pageSize: 8 });
  const { kBytes, vBytes } = cache.layout;
  const args = { k: new Uint8Array(kBytes), v: new Uint8Array(vBytes), kvLens: [1, 1, 1] };
  expect(await message(ShapeError, () => cache.load(args))).toMatch(
    /^load: expected a cache without pages, got one of pages of 8 tokens/,
  );
  cache.destroy();
});
