// layerShapes.test.ts: one cache whose layers differ in KV heads and head dim.
import { describe, expect, test } from 'vitest';
import {
  cacheLayout,
  createDecoder,
  createKvCache,
  createStorage,
  encodeRows,
  kvBytesRead,
  layoutOfLayer,
  readBack,
  ShapeError,
  uploadStorage,
  type KvCache,
} from '../../src/index.ts';
import { normals } from '../../src/numbers/random.ts';
import { storeProblem } from '../../src/reference/problem.ts';
import { expectClose } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';
import { failure, message } from '../support/failure.ts';

// As Gemma has them: most layers are narrow, every third one is wide and has fewer KV heads.
const OPTIONS = {
  batch: 2,
  numKvHeads: 2,
  headDim: 64,
  capacity: 9,
  kType: 'int8',
  vType: 'f16',
  layers: [{}, { numKvHeads: 1, headDim: 256 }, {}],
} as const;

describe('the layout', () => {
  test('counts each layer’s own bytes', () => {
    const layout = cacheLayout(OPTIONS);
    expect(layout.layers).toBe(3);
    expect(layout.perLayer.map(({ numKvHeads, headDim }) => [numKvHeads, headDim])).toEqual([
      [2, 64],
      [1, 256],
      [2, 64],
    ]);
    // K: rows of D bytes and, for each head, ten scales of two bytes; V: two bytes for each element.
    const narrow = [2 * 2 * (9 * 64 + 20), 2 * 2 * 9 * 64 * 2];
    const wide = [2 * (9 * 256 + 20), 2 * 9 * 256 * 2].map((bytes) => Math.ceil(bytes / 16) * 16);
    expect(layout.perLayer.map(({ kBytes, vBytes }) => [kBytes, vBytes])).toEqual([narrow, wide, narrow]);
    expect(layout.totalBytes).toBe(2 * (narrow[0]! + narrow[1]!) + wide[0]! + wide[1]!);
    expect(layout.perLayer[0]).toBe(layout.perLayer[2]);
    const single = cacheLayout({ ...OPTIONS, numKvHeads: 1, headDim: 256, layers: 3 });
    expect(layoutOfLayer(layout, 1)).toEqual(single);
    expect(kvBytesRead(layoutOfLayer(layout, 1), [9, 1])).toBe(10 * (256 + 2 + 512));
  });

  test('a list of layers that say nothing is as many layers', () => {
    const options = { numKvHeads: 2, headDim: 64, capacity: 9 };
    expect(cacheLayout({ ...options, layers: [{}, {}] })).toEqual(cacheLayout({ ...options, layers: 2 }));
  });

  test.each<[string, unknown, RegExp]>([
    ['no layers', [], /^cache: layers: length: expected .* got 0$/],
    ['no heads', [{}, { numKvHeads: 0 }], /^cache: layers\[1\]: numKvHeads: expected .* got 0$/],
    [
      'another head dim',
      [{ headDim: 63 }],
      /^cache: layers\[0\]: headDim: expected a multiple of 8 from 8 to 512, got 63$/,
    ],
    ['an unknown option', [{ heads: 2 }], /^cache: layers\[0\]: there is no option heads/],
    ['a hole', Array(2), /^cache: layers\[0\]: expected an object of options, got undefined$/],
    ['text', 'two', /^cache: layers: expected .* got "two"$/],
  ])('%s is refused', async (_name, layers, expected) => {
    expect(await message(ShapeError, () => cacheLayout({ ...OPTIONS, layers: layers as number }))).toMatch(
      expected,
    );
  });
});

const Q_HEADS = 4;

/** Appends rows of four tokens to a layer, of which the sequences take four and three, and decodes them; held against float64. */
async function appendAndDecode(cache: KvCache, layer: number): Promise<void> {
  const { device, layout } = cache;
  const { numKvHeads, headDim } = layout.perLayer[layer]!;
  const { batch, capacity, kType, vType } = layout;
  const shape = { batch, numKvHeads, headDim, capacity, kType, vType, numQHeads: Q_HEADS, qLen: 1 };
  const [k, v] = [1, 2].map((seed) => normals(seed + 10 * layer, batch * numKvHeads * 4 * headDim));
  const q = normals(3, batch * Q_HEADS * headDim);
  const upload = (values: Float32Array<ArrayBuffer>) => uploadStorage(device, 'rows', values);
  await cache.append({ layer, k: upload(k!), v: upload(v!), numTokens: 4 }, { numTokens: [4, 3] });
  const decoder = await createDecoder(device, { cache, layer, numQHeads: Q_HEADS });
  const [o, lse] = [q.length, batch * Q_HEADS].map((count) => createStorage(device, 'out', count * 4));
  const step = await decoder.bind({ layer, q: upload(q), o: o!, lse: lse! });
  step.run(decoder.plan({ kvLens: cache.kvLens(layer) }));
  const slots = [k!, v!].map((rows) => {
    const all = new Float32Array(batch * numKvHeads * capacity * headDim);
    for (let head = 0; head < batch * numKvHeads; head++) {
      all.set(rows.subarray(head * 4 * headDim, (head + 1) * 4 * headDim), head * capacity * headDim);
    }
    return all;
  });
  const problem = storeProblem({ ...shape, kvLens: [4, 3], q, k: slots[0]!, v: slots[1]! });
  const [gotO, gotLse] = await Promise.all([readBack(device, o!), readBack(device, lse!)]);
  expectClose(problem, new Float32Array(gotO), new Float32Array(gotLse), `layer ${layer}`);
  decoder.destroy();
}

test('each layer is appended to, forked and decoded in its own shape', async () => {
  const cache = await createKvCache(await testDevice(), OPTIONS);
  for (let layer = 0; layer < 3; layer++) await appendAndDecode(cache, layer);
  const before = await Promise.all(cache.layers.map(({ v }) => readBack(cache.device, v)));
  await cache.fork(0, 1);
  expect([0, 1, 2].map((layer) => cache.kvLens(layer))).toEqual([
    [4, 4],
    [4, 4],
    [4, 4],
  ]);
  for (const [layer, bytes] of before.entries()) {
    const { numKvHeads, headDim } = cache.layout.perLayer[layer]!;
    const after = new Uint16Array(await readBack(cache.device, cache.layers[layer]!.v));
    const head = 9 * headDim;
    for (let hk = 0; hk < numKvHeads; hk++) {
      const source = new Uint16Array(bytes).subarray(hk * head, hk * head + 4 * headDim);
      const at = (numKvHeads + hk) * head;
      expect(after.subarray(at, at + 4 * headDim)).toEqual(source);
    }
  }
  expect(cache.allocatedBytes).toBeLessThan(cache.layout.totalBytes + 6 * 256);
  cache.destroy();
});

test('what is of another layer’s shape is refused', async () => {
  const device = await testDevice();
  const cache = await createKvCache(device, OPTIONS);
  const decoder = await createDecoder(device, { cache, numQHeads: Q_HEADS });
  const q = createStorage(device, 'q', 2 * Q_HEADS * 64 * 4);
  const o = createStorage(device, 'o', 2 * Q_HEADS * 64 * 4);
  await decoder.bind({ layer: 2, q, o });
  expect(await message(ShapeError, () => decoder.bind({ layer: 1, q, o }))).toBe(
    "bind: layer 1: expected a layer of 2 KV heads and head dims 64 and 64, as the decoder's, got one of 1, 256 and 256",
  );
  await failure(ShapeError, () => createDecoder(device, { cache, layer: 3, numQHeads: Q_HEADS }));
  const { k, v } = cache.layout;
  const narrow = {
    k: new Uint8Array(cache.layout.kBytes),
    v: encodeRows(v, new Float32Array(v.heads * 9 * 64)),
  };
  cache.load({ layer: 0, ...narrow, kvLens: [9, 9] });
  await failure(ShapeError, () => cache.load({ layer: 1, ...narrow, kvLens: [9, 9] }));
  const rows = createStorage(device, 'rows', k.heads * 64 * 4);
  await cache.append({ layer: 2, k: rows, v: rows });
  await failure(ShapeError, () => cache.append({ layer: 1, k: rows, v: rows }));
  expect(cache.kvLens(1)).toEqual([0, 0]);
  for (const made of [decoder, cache, q, o, rows]) made.destroy();
});
