// segments.test.ts: caches of pages that are spread over several bindings: the same results as in one, whatever pages sequences take.
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import {
  cacheLayout,
  createDecoder,
  createKvCache,
  createRope,
  createStorage,
  LimitExceededError,
  OutOfPagesError,
  readBack,
  ShapeError,
  uploadStorage,
  type CacheOptions,
  type GqaDevice,
  type KernelChoice,
  type KvType,
} from '../../src/index.ts';
import { normals } from '../../src/numbers/random.ts';
import { storeProblem } from '../../src/reference/problem.ts';
import { expectClose } from '../support/attend.ts';
import { appendRandom, History, Q_HEADS, SHAPE } from '../support/cacheHistory.ts';
import { runsOf } from '../support/randomRuns.ts';
import { withBindings } from '../support/smallBindings.ts';

/** Scratch and rows have to fit in one. */
const BINDING = 60_000;

const device = await withBindings(BINDING);
afterAll(() => device.destroy());

interface Setup {
  readonly kType: KvType;
  readonly vType: KvType;
  readonly kernel: KernelChoice;
  readonly qLen: number;
  readonly pageSize: number;
  readonly pages: number;
  /** That follow from these. */
  readonly segments: number;
}

const SETUPS: readonly Setup[] = [
  { kType: 'f32', vType: 'bf16', kernel: 'tiles', qLen: 1, pageSize: 8, pages: 100, segments: 2 },
  { kType: 'int8', vType: 'f32', kernel: 'auto', qLen: 3, pageSize: 16, pages: 75, segments: 3 },
  { kType: 'f16', vType: 'int4', kernel: 'prefill', qLen: 12, pageSize: 64, pages: 20, segments: 2 },
];

async function create({ kernel, qLen, segments, ...own }: Setup) {
  const cache = await createKvCache(device, { ...SHAPE, ...own, layers: 2 });
  expect(cache.layout.segments).toBe(segments);
  const decoder = await createDecoder(device, { cache, numQHeads: Q_HEADS, qLen, kernel });
  const rows = SHAPE.batch * Q_HEADS * qLen;
  const query = normals(9, rows * SHAPE.headDim);
  const q = uploadStorage(device, 'q', query);
  const [o, lse] = [
    createStorage(device, 'o', rows * SHAPE.headDim * 4),
    createStorage(device, 'lse', rows * 4),
  ];
  const step = await decoder.bind({ layer: 1, q, o, lse });
  const history = new History();
  return {
    cache,
    history,
    append: (counts: readonly number[], seed: number) => appendRandom(cache, history, counts, seed),
    async decode(kvLens: readonly number[], qLens: readonly number[]): Promise<number> {
      for (const out of [o, lse])
        device.gpu.queue.writeBuffer(out, 0, new Float32Array(out.size / 4).fill(NaN));
      const plan = decoder.plan({ kvLens, qLens });
      step.run(plan);
      const { pageSize: _size, pages: _pages, ...types } = own;
      const sizes = { ...SHAPE, ...types, numQHeads: Q_HEADS, qLen, qLens, kvLens };
      const problem = storeProblem({ ...sizes, q: query, k: history.k, v: history.v });
      const [gotO, gotLse] = await Promise.all([readBack(device, o), readBack(device, lse)]);
      expectClose(problem, new Float32Array(gotO), new Float32Array(gotLse));
      return plan.parts.length;
    },
    destroy(): void {
      for (const each of [decoder, cache, q, o, lse]) each.destroy();
    },
  };
}

const each = (max: number) => fc.array(fc.nat(max), { minLength: 3, maxLength: 3, size: 'max' });
const kinds = [
  'append',
  'append',
  'append',
  'append',
  'decode',
  'truncate',
  'fork',
  'reset',
  'snapshot',
] as const;
const calls = fc.record({
  kind: fc.constantFrom(...kinds),
  b: fc.nat(2),
  counts: each(60),
  back: fc.nat(70),
  seed: fc.integer({ min: 1, max: 1e6 }),
});

describe('a cache of pages beyond one binding', () => {
  test('any calls: each step is right, over pages of one segment and of all', async () => {
    const done = new Map<string, number>();
    const note = (name: string) => done.set(name, (done.get(name) ?? 0) + 1);
    const cases = fc.tuple(
      fc.constantFrom(...SETUPS),
      fc.array(calls, { minLength: 30, maxLength: 50, size: 'max' }),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([setup, list]) => {
        const real = await create(setup);
        const { cache, history } = real;
        try {
          for (const { kind, b, counts, back, seed } of list) {
            if (kind === 'append') {
              const fitting = counts.map((count, i) => Math.min(count, SHAPE.capacity - history.lens[i]!));
              try {
                await real.append(fitting, seed);
                note('append');
              } catch (error) {
                // One layer may have got its tokens, the other not.
                expect(error).toBeInstanceOf(OutOfPagesError);
                note('full');
                cache.truncate(history.lens);
              }
            } else if (kind === 'decode') {
              const kvLens = history.lens.map((kvLen, i) => (i === b ? Math.max(0, kvLen - back) : kvLen));
              note(
                `${await real.decode(
                  kvLens,
                  counts.map((count) => count % (setup.qLen + 1)),
                )} parts`,
              );
            } else if (kind === 'truncate') {
              history.lens[b] = Math.max(0, history.lens[b]! - back);
              cache.truncate(history.lens[b], { sequence: b });
            } else if (kind === 'fork') {
              await cache.fork(b, (b + 1) % SHAPE.batch);
              history.fork(b, (b + 1) % SHAPE.batch);
            } else if (kind === 'reset') {
              cache.reset(b);
              history.lens[b] = 0;
            } else {
              const saved = await cache.snapshot({ sequence: b });
              cache.reset(b);
              try {
                await cache.restore(saved, { sequence: b });
                note('restore');
              } catch (error) {
                expect(error).toBeInstanceOf(OutOfPagesError); // a fork had shared its pages
                history.lens[b] = 0;
              }
            }
            expect(cache.kvLens()).toEqual(history.lens);
          }
          await device.idle();
        } finally {
          real.destroy();
        }
      }),
      { seed: 2, numRuns: runsOf(6) },
    );
    for (const name of ['append', 'full', 'restore', '1 parts', '2 parts', '3 parts'])
      expect(done.has(name), name).toBe(true);
  });

  test('is laid out in as few segments as hold its pages, the same in all layers', () => {
    const options: CacheOptions = { numKvHeads: 2, headDim: 64, capacity: 4096, pageSize: 16, kType: 'f16' };
    const limits = (maxBindingBytes: number) => ({ maxBindingBytes, maxBufferBytes: 2 * maxBindingBytes });
    // A page is 2 * 16 * 128 = 4096 bytes of K, and as many of V.
    const of = (bytes: number, more: Partial<CacheOptions> = {}) => {
      const { pages, segments, segmentPages, kBytes } = cacheLayout({ ...options, ...more }, limits(bytes));
      return { pages, segments, segmentPages, kBytes };
    };
    const whole = { pages: 256, segments: 1, segmentPages: 256, kBytes: 2 ** 20 };
    expect(of(2 ** 20)).toEqual(whole);
    expect(of(2 ** 20 - 1)).toEqual({ ...whole, segments: 2, segmentPages: 128 });
    expect(of(400_000)).toEqual({ ...whole, segments: 3, segmentPages: 86, kBytes: 3 * 86 * 4096 });
    expect(of(4096)).toEqual({ ...whole, segments: 256, segmentPages: 1 });
    // The largest layer decides.
    expect(of(2 ** 20, { layers: [{}, { numKvHeads: 4 }] })).toEqual({
      ...whole,
      segments: 2,
      segmentPages: 128,
    });
    expect(cacheLayout(options).segments).toBe(1);
  });

  test('a page that no binding holds is refused, and so is plain', async () => {
    const options = { numKvHeads: 4, headDim: 64, capacity: 512 };
    const refused = createKvCache(device, { ...options, pageSize: 128 });
    await expect(refused).rejects.toThrow(LimitExceededError);
    await expect(refused).rejects.toThrow(
      'kv cache: K of one page: maxStorageBufferBindingSize needed 131072, available 60000',
    );
    using cache = await createKvCache(device, { ...options, pageSize: 32 });
    expect([cache.layout.segments, cache.layers[0]!.segments.length]).toEqual([16, 16]);
    await expect(createDecoder(device, { cache, numQHeads: 4, kernel: 'plain' })).rejects.toThrow(
      'decoder: kernel: expected another than plain for a cache of 16 segments',
    );
  });

  test('rows that are turned as they are appended, and queries with them, are those of a cache in one', async () => {
    using whole = await withBindings(2 ** 27);
    const run = async (on: GqaDevice) => {
      const options = {
        batch: 2,
        numKvHeads: 1,
        headDim: 32,
        capacity: 200,
        pageSize: 8,
        pages: 40,
        layers: 1,
      };
      using cache = await createKvCache(on, { ...options, vHeadDim: 64, pageTables: 'caller' });
      using rope = await createRope(on, { headDim: 32, rotaryDim: 16, positions: 200 });
      // Sequences whose pages lie in turn here and there.
      const lists = [0, 1].map((b) => Array.from({ length: 13 }, (_, i) => ((i + 13 * b) * 7) % 40));
      const table = { indptr: [0, 13, 26], indices: lists.flat(), lastPageLen: [4, 8] };
      cache.setPages(table, { newTokens: [100, 70] });
      const [k, v] = [
        uploadStorage(on, 'k', normals(1, 200 * 32)),
        uploadStorage(on, 'v', normals(2, 200 * 64)),
      ];
      const q = uploadStorage(on, 'q', normals(3, 400 * 32));
      const args = { k, v, q, numTokens: 100, numQHeads: 2, rope };
      await cache.append(args, { numTokens: [100, 70] });
      const saved = await cache.snapshot();
      const bytes = new Float32Array(await readBack(on, q));
      await on.idle();
      const data = saved.tensors.map((tensor) => [tensor.name, tensor.shape, tensor.data]);
      return { segments: cache.layout.segments, bytes, data };
    };
    const [one, several] = [await run(whole), await run(device)];
    expect([one.segments, several.segments]).toEqual([1, 2]);
    expect(several.bytes).toEqual(one.bytes);
    expect(several.data).toEqual(one.data);
  });

  test.each<[KvType, KvType, number]>([
    ['f32', 'int4', 4],
    ['int8', 'f16', 2],
  ])('a page of a fork becomes its own in another segment, K %s, V %s', async (kType, vType, bytes) => {
    using small = await withBindings(2 * (2 * 64 * 64 * bytes)); // two pages of the larger
    const options = {
      batch: 2,
      numKvHeads: 2,
      headDim: 64,
      capacity: 200,
      pageSize: 64,
      pages: 4,
      layers: 2,
    };
    using cache = await createKvCache(small, { ...options, kType, vType });
    expect(cache.layout.segments).toBe(2);
    const rows = (count: number, seed: number) =>
      uploadStorage(small, 'rows', normals(seed, 2 * 2 * count * 64));
    const append = async (count: number, counts: number[], seed: number) => {
      for (const layer of [0, 1]) {
        const buffers = { k: rows(count, seed + layer), v: rows(count, seed + 2 + layer) };
        await cache.append({ layer, ...buffers, numTokens: count }, { numTokens: counts });
      }
    };
    for (let seed = 0; seed < 70; seed += 10) await append(10, [10, 0], seed + 1);
    await cache.fork(0, 1);
    const of = async (sequence: number) =>
      (await cache.snapshot({ sequence })).tensors.map(({ data }) => data);
    const before = await of(0);
    await append(1, [0, 1], 99);
    expect(cache.freePages).toBe(1);
    cache.truncate(70, { sequence: 1 });
    expect(await of(1)).toEqual(before);
    expect(await of(0)).toEqual(before);
    await small.idle();
  });

  test('pages that change segments too often for the scratch memory are refused by name', async () => {
    using cache = await createKvCache(device, { ...SHAPE, pageSize: 8, pages: 100, pageTables: 'caller' });
    using decoder = await createDecoder(device, { cache, numQHeads: Q_HEADS });
    const { maxPartials } = decoder.context;
    const turns = Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? i : 99 - i + 1));
    cache.setPages({ indptr: [0, 50, 50, 50], indices: turns, lastPageLen: [8, 0, 0] });
    expect(maxPartials).toBeLessThan(50);
    expect(() => decoder.plan({ kvLens: [400, 0, 0] })).toThrow(ShapeError);
    expect(() => decoder.plan({ kvLens: [400, 0, 0] })).toThrow('partial states');
  });
});
