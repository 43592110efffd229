// headSegments.test.ts: caches without pages that are spread over several bindings by KV heads: the same results as in one.
import { describe, expect, test } from 'vitest';
import {
  cacheLayout,
  checkShape,
  createKvCache,
  createRope,
  LimitExceededError,
  readBack,
  uploadStorage,
  type CacheOptions,
  type KernelChoice,
} from '../../src/index.ts';
import { cacheOptionsOf, runProblem } from '../../bench/check/runProblem.ts';
import { headsOf, placeOfHead, segmentsOf, spreadHeads } from '../../src/cache/headSegments.ts';
import { planDecode } from '../../src/decode/plan.ts';
import { planContext } from '../../src/decode/planContext.ts';
import { normals } from '../../src/numbers/random.ts';
import { randomProblem, type ProblemOptions } from '../../src/reference/problem.ts';
import { expectClose } from '../support/attend.ts';
import { GPU_FACTS } from '../support/deviceFacts.ts';
import { ownDevice } from '../support/ownDevice.ts';
import { cacheWithin, withBindings } from '../support/smallBindings.ts';

const limits = (maxBindingBytes: number) => ({ maxBindingBytes, maxBufferBytes: 2 * maxBindingBytes });

describe('spread over segments', () => {
  test('each head has a place of its own, in as few segments as leave little room empty', () => {
    const wrong: unknown[] = [];
    const check = (batch: number, numKvHeads: number, most: number) => {
      const all = batch * numKvHeads;
      const spread = spreadHeads(batch, numKvHeads, (heads) => heads <= most);
      const layer = { numKvHeads, ...spread };
      const dealt: number[] = [];
      const isPlace = (segment: number) => {
        const { firstSequence, sequences, firstHead, heads } = headsOf(layer, batch, segment);
        const count = sequences * heads;
        const own = Array.from({ length: count }, (_, i) => i).every((i) => {
          const [b, hk] = [firstSequence + Math.floor(i / heads), firstHead + (i % heads)];
          dealt.push(b * numKvHeads + hk);
          const place = placeOfHead(layer, b, hk);
          return place.segment === segment && place.head === i && segmentsOf(layer, b).includes(segment);
        });
        return own && count > 0 && count <= spread.segmentHeads;
      };
      const segments = Array.from({ length: spread.segments }, (_, segment) => segment);
      const fits = spread.segmentHeads <= most && spread.segments * spread.segmentHeads <= (all * 9) / 8;
      const isRight = segments.every(isPlace) && dealt.length === all && dealt.every((head, i) => head === i);
      if (!fits || !isRight) wrong.push({ batch, numKvHeads, most, spread });
    };
    for (let batch = 1; batch <= 9; batch++) {
      for (let numKvHeads = 1; numKvHeads <= 9; numKvHeads++) {
        for (let most = 1; most <= batch * numKvHeads; most++) check(batch, numKvHeads, most);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('layers are spread by what each takes, and count the bytes of all segments', () => {
    const options: CacheOptions = { batch: 2, numKvHeads: 8, headDim: 64, capacity: 1024, kType: 'int8' };
    const of = (bytes: number, more: Partial<CacheOptions> = {}) =>
      cacheLayout({ ...options, ...more }, limits(bytes)).perLayer.map(
        ({ segments, segmentHeads, kBytes, kScales }) => [segments, segmentHeads, kBytes, kScales],
      );
    // A head has 1024 rows of 64 bytes and a scale of 2.
    const [head, words] = [1024 * 66, 1024 * 4];
    expect(of(16 * head)).toEqual([[1, 16, 16 * head, 16 * words]]);
    expect(of(16 * head - 1)).toEqual([[2, 8, 16 * head, 8 * words]]);
    expect(of(4 * head)).toEqual([[4, 4, 16 * head, 4 * words]]);
    expect(of(3 * head)).toEqual([[6, 3, 18 * head, 3 * words]]); // three, three and two
    expect(of(head)).toEqual([[16, 1, 16 * head, words]]);
    const ring = { window: 64 };
    expect(of(8 * head, { layers: [{}, { numKvHeads: 2 }, { ring }] }).map(([segments]) => segments)).toEqual(
      [2, 1, 1],
    );
    // V decides where it is larger.
    expect(of(16 * head, { vType: 'f32' })[0]![0]).toBe(4);
    expect(cacheLayout(options).segments).toBe(1);
  });

  test('a head that no binding holds is refused, with what would fit', async () => {
    using device = await withBindings(60_000);
    const refused = createKvCache(device, { numKvHeads: 4, headDim: 64, capacity: 512 });
    await expect(refused).rejects.toThrow(LimitExceededError);
    await expect(refused).rejects.toThrow(
      'kv cache: K of one KV head of a sequence: maxStorageBufferBindingSize needed 131072, available 60000; in pages (`pageSize`) it would fit',
    );
  });

  test('heads of a sequence have its splits in common, and each dispatch fills the device', () => {
    const capacity = 2 ** 16;
    const options = { batch: 2, numKvHeads: 4, headDim: 64, capacity, kType: 'f16' } as const;
    const shape = checkShape({ batch: 2, numQHeads: 8, numKvHeads: 4, headDim: 64 });
    const bytes = capacity * 64 * 2;
    const planOf = (heads: number) => {
      const layout = cacheLayout(options, limits(bytes * heads));
      const context = planContext(shape, layout, GPU_FACTS);
      const plan = planDecode(context, [capacity, 0]);
      const busy = plan.parts.map(({ grid: [x, y, z] }) => (x * y * z) / context.slots);
      return { plan, busy, context };
    };
    const [whole, spread] = [planOf(8), planOf(1)];
    expect(whole.plan.parts).toHaveLength(1);
    expect(spread.plan.parts.map(({ segment, grid }) => [segment, grid[1]])).toEqual(
      Array.from({ length: 8 }, (_, segment) => [segment, 1]),
    );
    expect(spread.plan.dispatches).toHaveLength(9);
    for (const busy of [whole.busy[0]!, ...spread.busy.slice(0, 4)]) expect(busy).toBeGreaterThan(0.8);
    for (const busy of spread.busy) expect(busy).toBeLessThanOrEqual(1);
    expect(spread.plan.items).toBeLessThanOrEqual(spread.context.maxPartials + 1);
  });
});

/** A problem in segments of so many heads. */
interface Case extends ProblemOptions {
  readonly kernel: KernelChoice;
  readonly numSplits?: number;
  readonly heads: number;
  readonly segments: number;
}

const CASES: readonly Case[] = [
  {
    kernel: 'tiles',
    kType: 'f32',
    vType: 'bf16',
    batch: 4,
    numQHeads: 4,
    numKvHeads: 2,
    headDim: 32,
    qLen: 2,
    capacity: 70,
    kvLens: [70, 3, 0, 33],
    heads: 4,
    segments: 2,
  },
  {
    kernel: 'auto',
    kType: 'int8',
    vType: 'f16',
    batch: 2,
    numQHeads: 16,
    numKvHeads: 8,
    headDim: 32,
    capacity: 201,
    kvLens: [200, 131],
    numSplits: 3,
    heads: 3,
    segments: 6,
    features: { alibiSlopes: Array.from(normals(3, 16), Math.abs), sinkLogits: [...normals(4, 16)] },
  },
  {
    kernel: 'prefill',
    kType: 'f16',
    vType: 'int4',
    batch: 2,
    numQHeads: 6,
    numKvHeads: 3,
    headDim: 32,
    qLen: 12,
    capacity: 301,
    kvLens: [300, 77],
    qLens: [12, 5],
    heads: 1,
    segments: 6,
  },
  {
    kernel: 'plain',
    kType: 'int4',
    vType: 'f32',
    batch: 3,
    numQHeads: 16,
    numKvHeads: 8,
    headDim: 32,
    qLen: 2,
    capacity: 97,
    kvLens: [9, 97, 40],
    heads: 3,
    segments: 9,
    features: { sinkLogits: [...normals(5, 16)], softcap: 3 },
  },
];

describe('a step over several segments', () => {
  test.each(CASES)('$kernel, K $kType, V $vType, $heads heads of $numKvHeads in each', async (each) => {
    const { kernel, numSplits, heads, segments, ...options } = each;
    const problem = randomProblem({ ...options, seed: 7 });
    const cache = cacheOptionsOf(problem);
    const { kBytes, vBytes } = cacheLayout({ ...cache, batch: 1, numKvHeads: heads });
    using device = await withBindings(Math.max(kBytes, vBytes));
    expect(cacheLayout(cache, device.facts).segments).toBe(segments);
    const run = { kernel, ...(numSplits !== undefined && { numSplits }) };
    const { o, lse } = await runProblem(device, problem, run);
    expectClose(problem, o, lse);
    await device.idle();
  });
});

describe('what is stored in several segments', () => {
  test.each(['no ring', 'a ring'])(
    'appends that turn rows and queries, forks and cuts are those of one, with %s',
    async (which) => {
      using device = await ownDevice(['subgroups']);
      const run = async (bytes: number) => {
        const ring = { window: 40, sinkTokens: 3, chunk: 30 };
        const own = { headDim: 32, vHeadDim: 64, capacity: 101, layers: 2, kType: 'int8' } as const;
        const options = { batch: 3, numKvHeads: 3, ...own, ...(which === 'a ring' && { ring }) };
        using cache = await cacheWithin(device, bytes, options);
        using rope = await createRope(device, { headDim: 32, rotaryDim: 16, positions: 101 });
        const N = 30;
        const k = uploadStorage(device, 'k', normals(1, 9 * N * 32));
        const v = uploadStorage(device, 'v', normals(2, 9 * N * 64));
        const q = uploadStorage(device, 'q', normals(3, 18 * N * 32));
        for (const counts of [
          [30, 7, 1],
          [30, 0, 30],
          [25, 0, 9],
        ]) {
          await cache.append({ layer: 1, k, v, q, numTokens: N, numQHeads: 6, rope }, { numTokens: counts });
          await cache.append({ layer: 0, k, v, numTokens: N }, { numTokens: counts });
        }
        await cache.fork(0, 1);
        cache.truncate(80, { sequence: 1 });
        const saved = await cache.snapshot();
        await cache.restore(await cache.snapshot({ sequence: 1 }), { sequence: 2 });
        const restored = await cache.snapshot();
        const data = [saved, restored].map(({ tensors }) =>
          tensors.map(({ name, shape, data: bytesOf }) => [name, shape, bytesOf]),
        );
        const turned = new Uint32Array(await readBack(device, q));
        await device.idle();
        return { segments: cache.layout.segments, data, turned };
      };
      const slots = which === 'a ring' ? 74 : 102;
      const head = slots * (64 * 1 + 2);
      const [one, bySequence, byHead] = [
        await run(2 ** 27),
        await run(3 * head + 100),
        await run(head + 100),
      ];
      expect([one, bySequence, byHead].map(({ segments }) => segments)).toEqual([1, 3, 9]);
      for (const several of [bySequence, byHead]) {
        expect(several.turned).toEqual(one.turned);
        expect(several.data).toEqual(one.data);
      }
    },
  );
});
