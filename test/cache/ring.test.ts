// ring.test.ts: layers that keep a window and sink tokens, over many laps, beside a layer that keeps all, against float64.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  cacheLayout,
  createDecoder,
  createKvCache,
  createStorage,
  type KernelChoice,
  type KvType,
  readBack,
  type RingOptions,
  ShapeError,
  uploadStorage,
} from '../../src/index.ts';
import { normals } from '../../src/numbers/random.ts';
import { storeProblem } from '../../src/reference/problem.ts';
import { expectClose } from '../support/attend.ts';
import { appendRandom, History, Q_HEADS, SHAPE } from '../support/cacheHistory.ts';
import { testDevice } from '../support/device.ts';
import { runsOf } from '../support/randomRuns.ts';

const device = await testDevice();

/** A ring cache with its decoder, and the history of what it was told. */
async function create(
  ring: Required<RingOptions>,
  { kernel = 'auto', ...types }: { kType: KvType; vType: KvType; kernel?: KernelChoice },
) {
  const cache = await createKvCache(device, { ...SHAPE, ...types, layers: [{ ring }, {}] });
  const features = { window: ring.window, ...(ring.sinkTokens > 0 && { sinkTokens: ring.sinkTokens }) };
  const qLen = ring.chunk;
  const decoder = await createDecoder(device, { cache, numQHeads: Q_HEADS, qLen, features, kernel });
  const rows = SHAPE.batch * Q_HEADS * qLen;
  const q = uploadStorage(device, 'q', normals(9, rows * SHAPE.headDim));
  const o = createStorage(device, 'o', rows * SHAPE.headDim * 4);
  const lse = createStorage(device, 'lse', rows * 4);
  const step = await decoder.bind({ q, o, lse });
  const history = new History();
  return {
    cache,
    history,
    append: (counts: readonly number[], seed: number) => appendRandom(cache, history, counts, seed),
    async decode(kvLens: readonly number[], qLens: readonly number[]): Promise<void> {
      device.gpu.queue.writeBuffer(o, 0, new Float32Array(o.size / 4).fill(NaN));
      device.gpu.queue.writeBuffer(lse, 0, new Float32Array(lse.size / 4).fill(NaN));
      step.run(decoder.plan({ kvLens, qLens }));
      const problem = storeProblem({
        ...SHAPE,
        ...types,
        numQHeads: Q_HEADS,
        qLen,
        qLens,
        kvLens,
        features,
        q: normals(9, rows * SHAPE.headDim),
        k: history.k,
        v: history.v,
      });
      const [gotO, gotLse] = await Promise.all([readBack(device, o), readBack(device, lse)]);
      expectClose(problem, new Float32Array(gotO), new Float32Array(gotLse));
    },
    destroy(): void {
      for (const each of [step, decoder, cache, q, o, lse]) if ('destroy' in each) each.destroy();
    },
  };
}

type Ringed = Awaited<ReturnType<typeof create>>;

/** Slots, by the rule: both parts even, and no more than all tokens take. */
function slotsOf({ window, sinkTokens, chunk }: Required<RingOptions>) {
  const even = (count: number) => count + (count % 2);
  const slots = Math.min(even(sinkTokens) + even(window + chunk - 1), SHAPE.capacity);
  return { slots, sinkSlots: even(sinkTokens) };
}

const ringOf = (window: number, sinkTokens: number, chunk: number) => ({ window, sinkTokens, chunk });

/** Each is a kernel of its own. */
const RINGS = [
  { ring: ringOf(1, 0, 1), kType: 'f32', vType: 'bf16' },
  { ring: ringOf(2, 1, 3), kType: 'int8', vType: 'int8' },
  { ring: ringOf(7, 4, 8), kType: 'f16', vType: 'int4' },
  { ring: ringOf(16, 5, 3), kType: 'int4', vType: 'f16' },
  { ring: ringOf(33, 0, 8), kType: 'bf16', vType: 'f32' },
  { ring: ringOf(5, 2, 2), kType: 'int8', vType: 'int4', kernel: 'plain' },
  { ring: ringOf(9, 3, 12), kType: 'f16', vType: 'f32', kernel: 'prefill' },
] as const;

interface Call {
  readonly kind: 'append' | 'decode' | 'truncate' | 'fork' | 'reset' | 'snapshot';
  readonly b: number;
  readonly counts: readonly number[];
  readonly back: number;
  readonly seed: number;
}

const each = (max: number) => fc.array(fc.nat(max), { minLength: 3, maxLength: 3, size: 'max' });
const kinds = [
  'append',
  'append',
  'append',
  'append',
  'decode',
  'decode',
  'truncate',
  'fork',
  'reset',
  'snapshot',
] as const;
const calls: fc.Arbitrary<Call> = fc.record({
  kind: fc.constantFrom(...kinds),
  b: fc.nat(2),
  counts: each(12),
  back: fc.nat(12),
  seed: fc.integer({ min: 1, max: 1e6 }),
});

/** Whether the ring has all that a step reads from token `first` to before `end`. */
function isKept(ring: Required<RingOptions>, first: number, end: number, written: number): boolean {
  const { slots, sinkSlots } = slotsOf(ring);
  for (let t = Math.max(first, 0); t < end; t++) {
    if (t >= sinkSlots && t < written - (slots - sinkSlots)) return false;
  }
  return true;
}

async function refusedOr(isFine: boolean, act: () => unknown): Promise<boolean> {
  if (isFine) {
    await act();
    return true;
  }
  await expect((async () => act())()).rejects.toThrow(ShapeError);
  return false;
}

const done = new Map<string, number>();

async function carryOut(ring: Required<RingOptions>, real: Ringed, call: Call): Promise<void> {
  const { cache, history } = real;
  const { b } = call;
  const act = async () => {
    switch (call.kind) {
      case 'append': {
        const counts = call.counts.map((count) => count % (ring.chunk + 1));
        if (history.lens.some((kvLen, i) => kvLen + counts[i]! > SHAPE.capacity)) return true;
        await real.append(counts, call.seed);
        return true;
      }
      case 'decode': {
        const qLens = call.counts.map((count) => count % (ring.chunk + 1));
        const kvLens = history.lens.map((kvLen, i) => Math.max(0, kvLen - (i === b ? call.back : 0)));
        const isFine = kvLens.every((kvLen, i) => {
          const first = kvLen - (ring.window + qLens[i]! - 1);
          return qLens[i] === 0 || isKept(ring, first, kvLen, history.written[i]!);
        });
        return refusedOr(isFine, () => real.decode(kvLens, qLens));
      }
      case 'truncate': {
        const kept = Math.max(0, history.lens[b]! - call.back);
        const isFine =
          kept === history.lens[b] || isKept(ring, kept - ring.window + 1, kept, history.written[b]!);
        const isDone = await refusedOr(isFine, () => cache.truncate(kept, { sequence: b }));
        if (!isDone) return false;
        history.lens[b] = kept;
        if (kept <= slotsOf(ring).sinkSlots) history.written[b] = kept;
        return true;
      }
      case 'fork': {
        const to = (b + 1) % SHAPE.batch;
        await cache.fork(b, to);
        history.fork(b, to);
        return true;
      }
      case 'reset':
        cache.reset(b);
        history.lens[b] = history.written[b] = 0;
        return true;
      case 'snapshot': {
        const saved = await cache.snapshot({ sequence: b });
        cache.reset(b);
        await cache.restore(saved, { sequence: b });
        return true;
      }
    }
  };
  const isDone = await act();
  const name = `${call.kind} ${isDone ? 'done' : 'refused'}`;
  done.set(name, (done.get(name) ?? 0) + 1);
  expect(cache.kvLens()).toEqual(history.lens);
}

describe('a layer with a ring', () => {
  test('any calls, over many laps: each step is right or refused, and refused only where keys are gone', async () => {
    const cases = fc.tuple(
      fc.constantFrom(...RINGS),
      fc.array(calls, { minLength: 40, maxLength: 80, size: 'max' }),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([{ ring: given, ...types }, list]) => {
        const real = await create(given, types);
        try {
          for (const call of list) await carryOut(given, real, call);
          await device.idle();
        } finally {
          real.destroy();
        }
      }),
      { seed: 20261127, numRuns: runsOf(10) },
    );
    const wanted = [...new Set(kinds)].map((kind) => `${kind} done`);
    expect([...wanted, 'decode refused', 'truncate refused'].filter((name) => !done.has(name))).toEqual([]);
  });

  test('has slots for its window, its chunk and its sink tokens, both parts even, and no more than for all tokens', () => {
    const layout = (ring: RingOptions, capacity = 1000) =>
      cacheLayout({ numKvHeads: 2, headDim: 16, capacity, kType: 'f16', ring });
    expect(layout({ window: 128, chunk: 1 })).toMatchObject({ kBytes: 2 * 128 * 32, bytesPerToken: 128 });
    expect(layout({ window: 128 }).ring).toEqual({
      window: 128,
      sinkTokens: 0,
      chunk: 8,
      slots: 136,
      sinkSlots: 0,
    });
    expect(layout({ window: 4, sinkTokens: 3 }).ring).toMatchObject({ slots: 16, sinkSlots: 4 });
    expect(layout({ window: 4, sinkTokens: 3 }, 9).ring).toMatchObject({ slots: 10, sinkSlots: 4 });
    expect(layout({ window: 4, sinkTokens: 300 }, 9).ring).toMatchObject({ slots: 10, sinkSlots: 8 });
    const mixed = cacheLayout({
      numKvHeads: 1,
      headDim: 8,
      capacity: 100,
      layers: [{}, { ring: { window: 3 } }, {}],
    });
    expect(mixed.perLayer.map(({ k }) => k.capacity)).toEqual([100, 10, 100]);
    expect(mixed.totalBytes).toBe((100 + 10 + 100) * 2 * 32);
  });

  test.each<[string, RingOptions, object, string]>([
    ['no window', {} as RingOptions, {}, 'cache: ring: window: expected a whole number from 1'],
    [
      'a window of none',
      { window: 0 },
      {},
      'cache: ring: window: expected a whole number from 1 to 16777216, got 0',
    ],
    [
      'half a sink token',
      { window: 1, sinkTokens: 0.5 },
      {},
      'cache: ring: sinkTokens: expected a whole number',
    ],
    ['a chunk of none', { window: 1, chunk: 0 }, {}, 'cache: ring: chunk: expected a whole number from 1'],
    ['another field', { window: 1, size: 3 } as RingOptions, {}, 'cache: ring: there is no option size'],
    ['no object', 5 as unknown as RingOptions, {}, 'cache: ring: expected an object'],
    ['pages', { window: 1 }, { pageSize: 8 }, 'expected a cache without pages, got one of pages of 8 tokens'],
  ])('refuses %s', (_, ring, more, message) => {
    const options = { numKvHeads: 1, headDim: 8, capacity: 100, ...more };
    expect(() => cacheLayout({ ...options, ring })).toThrow(ShapeError);
    expect(() => cacheLayout({ ...options, ring })).toThrow(message);
    const layers = () => cacheLayout({ ...options, layers: [{ ring }] });
    expect(layers).toThrow(message.replace('cache: ring', 'cache: layers[0]: ring'));
  });

  test('refuses what would overwrite keys, or read those that are gone, by name, and stays as it was', async () => {
    const ring = { window: 4, sinkTokens: 2, chunk: 3 };
    using cache = await createKvCache(device, {
      numKvHeads: 1,
      headDim: 8,
      capacity: 100,
      layers: [{ ring }, {}],
    });
    const rows = (count: number) => uploadStorage(device, 'rows', normals(1, count * 8));
    const append = (layer: number, numTokens: number) => {
      return cache.append({ layer, k: rows(numTokens), v: rows(numTokens), numTokens });
    };
    await expect(append(0, 4)).rejects.toThrow(
      "append: numTokens (the ring's chunk): expected a whole number from 1 to 3, got 4",
    );
    await append(1, 4);
    expect(() => cache.load({ k: new Uint8Array(8), v: new Uint8Array(8), kvLens: [0] })).toThrow(
      'load: expected a layer without a ring, got layer 0',
    );
    const make = (options: object) => createDecoder(device, { cache, numQHeads: 2, ...options });
    const cases = [
      [{}, "decoder: features: window: expected at most 4, as the layer's ring has, got none"],
      [{ features: { window: 5 } }, 'features: window: expected at most 4'],
      [{ features: { window: 4, sinkTokens: 3 } }, 'features: sinkTokens: expected at most 2'],
      [{ qLen: 4, features: { window: 4 } }, 'decoder: qLen: expected at most 3'],
    ] as const;
    for (const [options, message] of cases) await expect(make(options)).rejects.toThrow(message);

    using decoder = await make({ features: { window: 4, sinkTokens: 2 } });
    using full = await make({ layer: 1 });
    const [q, o] = [rows(2), createStorage(device, 'o', 64)];
    await expect(decoder.bind({ layer: 1, q, o })).rejects.toThrow(
      "with a ring (window 4, sinkTokens 2, chunk 3), as the decoder's, got one with no ring",
    );
    await expect(full.bind({ layer: 0, q, o })).rejects.toThrow("with no ring, as the decoder's");

    const step = await decoder.bind({ q, o });
    await append(0, 3);
    const old = decoder.plan({ kvLens: [3] });
    step.run(old);
    for (let n = 0; n < 4; n++) await append(0, 3);
    cache.reset(0); // layer 1 has fewer tokens, and would refuse to keep as many
    for (let n = 0; n < 5; n++) for (const layer of [0, 1]) await append(layer, 3);
    expect(() => step.run(old)).toThrow(
      'record: layer 0, sequence 0: expected a plan whose windows begin at token 9 or behind it, the oldest in a ring that was written to up to token 15, got one from token 0 on',
    );
    expect(() => cache.truncate(11)).toThrow(
      'truncate: sequence 0 of layer 0: expected to keep 12 tokens or more, or at most 2: its ring was written to up to token 15, and holds those from 9 on; got 11',
    );
    expect(cache.kvLens()).toEqual([15]);
    cache.truncate(12);
    await append(0, 1);
    step.run(decoder.plan({ kvLens: [13] }));
    cache.truncate(2);
    expect([cache.kvLens(0), cache.kvLens(1)]).toEqual([[2], [2]]);
    await device.idle();
  });

  test('a snapshot goes to a ring of the same slots alone', async () => {
    const options = { numKvHeads: 1, headDim: 8, capacity: 100, ring: { window: 4 } };
    using cache = await createKvCache(device, options);
    const saved = await cache.snapshot();
    for (const other of [
      { ...options, ring: { window: 8 } },
      { numKvHeads: 1, headDim: 8, capacity: 100 },
    ]) {
      using target = await createKvCache(device, other);
      await expect(target.restore(saved)).rejects.toThrow('restore: expected a snapshot of');
    }
    using same = await createKvCache(device, { ...options, batch: 2, capacity: 50 });
    await same.restore(saved, { sequence: 1 });
  });
});
