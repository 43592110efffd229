// snapshot.node.test.ts: caches and sequences saved and restored: to the bit, elsewhere, from a file, or not at all.
import { mkdtempSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SafetensorsFile, writeSafetensors } from '../../src/checkpoint.ts';
import {
  createDecoder,
  createKvCache,
  createStorage,
  decodeRows,
  encodeRows,
  GqaError,
  readBack,
  ShapeError,
  uploadStorage,
  type CacheOptions,
  type CacheSnapshot,
  type GqaDevice,
  type KvCache,
  type StoredSnapshot,
} from '../../src/index.ts';
import { normals } from '../../src/numbers/random.ts';
import { testDevice } from '../support/device.ts';
import { failure, message } from '../support/failure.ts';
import { ownDevice } from '../support/ownDevice.ts';

const OPTIONS = {
  batch: 3,
  numKvHeads: 2,
  headDim: 64,
  capacity: 7,
  layers: 2,
  kType: 'int8',
  vType: 'int4',
} satisfies CacheOptions;
const KV_LENS = [
  [5, 0, 7],
  [5, 1, 6],
];

/** A cache that holds random rows of these lengths. */
async function filled(device: GqaDevice, options: CacheOptions = OPTIONS): Promise<KvCache> {
  const cache = await createKvCache(device, options);
  for (const [layer, kvLens] of KV_LENS.entries()) {
    const [k, v] = (['k', 'v'] as const).map((of, i) => {
      const { heads, capacity, headDim } = cache.layout[of];
      return encodeRows(cache.layout[of], normals(1 + i + 2 * layer, heads * capacity * headDim));
    });
    cache.load({ layer, k: k!, v: v!, kvLens });
  }
  return cache;
}

/** The values of the tokens of a sequence in a layer: K of each head, then V. */
async function tokensOf(cache: KvCache, layer: number, b: number): Promise<Float32Array[]> {
  const kvLen = cache.kvLens(layer)[b]!;
  const parts = (['k', 'v'] as const).map(async (of) => {
    const stored = cache.layout[of];
    const values = decodeRows(stored, new Uint8Array(await readBack(cache.device, cache.layers[layer]![of])));
    return [0, 1].map((hk) => {
      const at = (2 * b + hk) * stored.capacity * 64;
      return values.slice(at, at + kvLen * 64);
    });
  });
  return (await Promise.all(parts)).flat();
}

/** Everything of a cache, for what must not change. */
async function bytesOf(cache: KvCache): Promise<unknown> {
  const buffers = cache.layers.flatMap(({ k, v }) => [k, v]);
  const bytes = await Promise.all(
    buffers.map(async (range) => new Uint8Array(await readBack(cache.device, range))),
  );
  return { bytes, lens: [cache.kvLens(0), cache.kvLens(1)] };
}

let device: GqaDevice;
let source: KvCache;
let saved: CacheSnapshot;
const folder = mkdtempSync(join(tmpdir(), 'snapshot-'));

beforeAll(async () => {
  device = await testDevice();
  source = await filled(device);
  saved = await source.snapshot();
});
afterAll(async () => {
  source.destroy();
  await rm(folder, { recursive: true });
});

describe('a snapshot of a whole cache', () => {
  test('has the rows and scales of all sequences, and no others', () => {
    const shapes = saved.tensors.map(({ name, dtype, shape }) => `${name} ${dtype} ${shape.join('x')}`);
    expect(shapes.slice(0, 4)).toEqual([
      'layers.0.sequences.0.k U8 2x5x64',
      'layers.0.sequences.0.k_scales BF16 2x5x1',
      'layers.0.sequences.1.k U8 2x0x64',
      'layers.0.sequences.1.k_scales BF16 2x0x1',
    ]);
    expect(shapes.at(-2)).toBe('layers.1.sequences.2.v U8 2x6x32');
    expect(shapes.at(-1)).toBe('layers.1.sequences.2.v_scales BF16 2x6x2');
    const bytes = saved.tensors.reduce((sum, { data }) => sum + data.length, 0);
    expect(bytes).toBe(KV_LENS.flat().reduce((sum, kvLen) => sum + kvLen, 0) * source.layout.bytesPerToken);
  });

  test('is restored to the bit in a cache of another capacity and batch', async () => {
    const other = await createKvCache(device, { ...OPTIONS, batch: 4, capacity: 10 });
    await other.restore(saved);
    expect([other.kvLens(0), other.kvLens(1)]).toEqual(KV_LENS.map((lens) => [...lens, 0]));
    for (const layer of [0, 1]) {
      for (const b of [0, 1, 2])
        expect(await tokensOf(other, layer, b)).toEqual(await tokensOf(source, layer, b));
    }
    expect((await other.snapshot({ sequence: 2 })).tensors).toEqual(
      saved.tensors.filter(({ name }) => name.includes('sequences.2.')),
    );
    other.destroy();
  });

  test('survives its device: the next one decodes the same bits', async () => {
    const decoded = async (cache: KvCache) => {
      const q = uploadStorage(cache.device, 'q', normals(9, 3 * 4 * 64));
      const o = createStorage(cache.device, 'o', 3 * 4 * 64 * 4);
      const decoder = await createDecoder(cache.device, { cache, numQHeads: 4 });
      const step = await decoder.bind({ layer: 1, q, o });
      step.run(decoder.plan({ kvLens: cache.kvLens(1) }));
      return new Uint32Array(await readBack(cache.device, o));
    };
    using first = await ownDevice(['subgroups']);
    const before = await filled(first);
    const kept = await before.snapshot();
    const bits = await decoded(before);
    first.gpu.destroy();
    await first.lost;
    using second = await ownDevice(['subgroups']);
    const after = await createKvCache(second, OPTIONS);
    await after.restore(kept);
    expect(await decoded(after)).toEqual(bits);
  });

  test('is in the order of appends', async () => {
    const cache = await createKvCache(device, { ...OPTIONS, kType: 'f16', vType: 'f32' });
    const row = (value: number) => uploadStorage(device, 'row', new Float32Array(6 * 64).fill(value));
    const [one, two] = [row(1), row(2)];
    const [, first] = await Promise.all([
      cache.append({ k: one, v: one }),
      cache.snapshot(),
      cache.append({ k: two, v: two }),
    ]);
    expect(first.tensors[0]!.shape).toEqual([2, 1, 64]);
    expect(first.tensors[0]!.dtype).toBe('F16');
    expect(cache.kvLens()).toEqual([2, 2, 2]);
    await Promise.all([cache.restore(first), cache.append({ k: two, v: two })]);
    expect(cache.kvLens()).toEqual([2, 2, 2]);
    const [k] = await tokensOf(cache, 0, 1);
    expect([k![0], k![64]]).toEqual([1, 2]);
    cache.destroy();
  });

  test('is refused while an append is recorded only', async () => {
    using own = await ownDevice();
    const cache = await createKvCache(own, OPTIONS);
    const row = createStorage(own, 'row', 6 * 64 * 4);
    const encoder = own.gpu.createCommandEncoder();
    (await cache.bindAppend({ layer: 1, k: row, v: row })).record(encoder);
    expect(await message(ShapeError, () => cache.snapshot())).toBe(
      'snapshot: expected all appends and forks to be submitted, got 1 of layer 1 that are only recorded',
    );
    expect(await message(ShapeError, () => cache.restore(saved))).toMatch(
      /^restore: expected all appends .* layer 1 /,
    );
    own.gpu.queue.submit([encoder.finish()]);
    await cache.restore(saved);
    expect(cache.kvLens(1)).toEqual(KV_LENS[1]);
    expect((await cache.snapshot()).tensors).toHaveLength(2 * 2 * 2 * 3);
  });
});

describe('a snapshot of one sequence', () => {
  test('goes to any place, and leaves the others', async () => {
    const cache = await filled(device);
    const others = [await tokensOf(cache, 0, 0), await tokensOf(cache, 1, 2)];
    const [long, empty] = [await source.snapshot({ sequence: 2 }), await source.snapshot({ sequence: 1 })];
    await cache.restore(long, { sequence: 1 });
    expect([cache.kvLens(0), cache.kvLens(1)]).toEqual([
      [5, 7, 7],
      [5, 6, 6],
    ]);
    for (const layer of [0, 1])
      expect(await tokensOf(cache, layer, 1)).toEqual(await tokensOf(source, layer, 2));
    expect([await tokensOf(cache, 0, 0), await tokensOf(cache, 1, 2)]).toEqual(others);
    await cache.restore(empty);
    expect([cache.kvLens(0), cache.kvLens(1)]).toEqual(KV_LENS);
    cache.destroy();
  });
});

async function readSnapshot(path: string): Promise<StoredSnapshot> {
  const file = await SafetensorsFile.open(path);
  try {
    const tensors = [];
    for (const { name, dtype, shape } of file.header.tensors.values()) {
      tensors.push({ name, dtype, shape, data: await file.read(name) });
    }
    return { tensors, metadata: file.header.metadata };
  } finally {
    await file.close();
  }
}

test('a safetensors file holds a snapshot; with any byte flipped it is refused, and the cache stays as it is', async () => {
  const path = join(folder, 'prompt.safetensors');
  await writeSafetensors(path, saved.tensors, saved.metadata);
  const cache = await createKvCache(device, OPTIONS);
  await cache.restore(await readSnapshot(path));
  for (const layer of [0, 1]) {
    for (const b of [0, 1, 2])
      expect(await tokensOf(cache, layer, b)).toEqual(await tokensOf(source, layer, b));
  }
  const before = await bytesOf(cache);
  const whole = await readFile(path);
  const missed: number[] = [];
  for (let at = 0; at < whole.length; at += 61) {
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 0x10;
    await writeFile(path, damaged);
    const error = await readSnapshot(path)
      .then((snapshot) => cache.restore(snapshot))
      .then(
        () => undefined,
        (reason: unknown) => reason,
      );
    if (!(error instanceof GqaError)) missed.push(at);
  }
  expect(missed).toEqual([]);
  expect(await bytesOf(cache)).toEqual(before);
  cache.destroy();
});

describe('what does not fit is refused, and the cache stays as it is', () => {
  const without = (snapshot: CacheSnapshot): StoredSnapshot => ({
    ...snapshot,
    tensors: snapshot.tensors.slice(1),
  });
  const changed = (change: object): StoredSnapshot => ({
    ...saved,
    tensors: saved.tensors.map((tensor, i) => (i === 3 ? { ...tensor, ...change } : tensor)),
  });
  const metadata = (texts: Record<string, string>): StoredSnapshot => ({
    ...saved,
    metadata: { ...saved.metadata, ...texts },
  });

  test.each<[string, () => StoredSnapshot, RegExp]>([
    ['a tensor less', () => without(saved), /^restore: expected 24 tensors, got 23$/],
    [
      'another name',
      () => changed({ name: 'k' }),
      /^restore: expected a tensor layers.0.sequences.1.k_scales, got none$/,
    ],
    [
      'another dtype',
      () => changed({ dtype: 'F16' }),
      /^restore: .* expected BF16 \[2, 0, 1\] in 0 bytes, got F16/,
    ],
    [
      'another shape',
      () => changed({ shape: [2, 1, 1] }),
      /^restore: .* expected BF16 .*, got BF16 \[2, 1, 1\] in 0$/,
    ],
    [
      'more data',
      () => changed({ data: new Uint8Array(2) }),
      /^restore: .* in 0 bytes, got BF16 \[2, 0, 1\] in 2$/,
    ],
    [
      'no data',
      () => changed({ data: undefined }),
      /^restore: .* expected dtype, shape and data, got an object$/,
    ],
    ['other metadata', () => ({ ...saved, metadata: {} }), /^restore: metadata: expected .* got undefined$/],
    ['changed metadata', () => metadata({ gqa_webgpu_kv_cache: '{}' }), /^restore: metadata are damaged: /],
    [
      'nothing',
      () => undefined as never,
      /^restore: expected a snapshot's tensors and metadata, got undefined$/,
    ],
  ])('%s', async (_name, snapshot, expected) => {
    const before = await bytesOf(source);
    expect(await message(ShapeError, () => source.restore(snapshot()))).toMatch(expected);
    expect(await bytesOf(source)).toEqual(before);
  });

  test.each<[string, Partial<CacheOptions>, RegExp]>([
    [
      'other KV heads',
      { numKvHeads: 1 },
      /^restore: expected a snapshot of .*\[\[1,64,64\],.* got one of .*\[\[2,64,64\]/,
    ],
    ['another type', { kType: 'f16' }, /^restore: expected .*"kType":"f16".* got one of .*"kType":"int8"/],
    ['a layer more', { layers: 3 }, /^restore: expected a snapshot of /],
    ['less capacity', { capacity: 6 }, /^restore: tokens: expected .* 0 to 6, got 7$/],
    ['fewer sequences', { batch: 2 }, /^restore: sequence: expected .* 0 to 1, got 2$/],
  ])('a cache of %s', async (_name, options, expected) => {
    const other = await createKvCache(device, { ...OPTIONS, ...options });
    expect(await message(ShapeError, () => other.restore(saved))).toMatch(expected);
    expect(other.kvLens().every((kvLen) => kvLen === 0)).toBe(true);
    other.destroy();
  });

  test('a place for several sequences, or one that is not there', async () => {
    expect(await message(ShapeError, () => source.restore(saved, { sequence: 0 }))).toBe(
      'restore: sequence: expected a snapshot of one sequence, got one of 3',
    );
    const one = await source.snapshot({ sequence: 0 });
    await failure(ShapeError, () => source.restore(one, { sequence: 3 }));
    await failure(ShapeError, () => source.snapshot({ sequence: -1 }));
    await failure(ShapeError, () => source.snapshot({ place: 1 } as never));
    expect([source.kvLens(0), source.kvLens(1)]).toEqual(KV_LENS);
  });
});
