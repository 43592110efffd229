// append.test.ts: what an append writes, and that it writes nothing else. Whole buffers are compared.
import { describe, expect, test } from 'vitest';
import {
  createKvCache,
  encodeRows,
  readBack,
  uploadStorage,
  type CacheOptions,
  type GqaDevice,
  type KvCache,
  type KvType,
} from '../../src/index.ts';
import { testDevice } from '../support/device.ts';

// Host model of one K or V buffer: [B, Hkv, capacity, D] values.
type Slots = Float32Array<ArrayBuffer>;

/** Numbers that f16 holds exactly and that differ from element to element for a long way: -1024 to 1023. */
function counting(count: number, from: number): Slots {
  return Float32Array.from({ length: count }, (_, i) => ((i + from) % 2048) - 1024);
}

/** The numbers in a form that a type holds exactly; what shares a scale begins with its largest magnitude. */
function held(type: KvType, values: Slots): Slots {
  const exact: Record<KvType, (x: number, i: number) => number> = {
    f32: (x) => x,
    f16: (x) => x,
    bf16: (x) => x & ~7,
    int8: (x, i) => (i % 16 === 0 ? 127 : x % 127),
    int4: (x, i) => (i % 16 === 0 ? -8 : x % 8),
  };
  return values.map(exact[type]);
}

/** Writes new rows [B, Hkv, N, D] into the model behind `kvLens`. */
function appendTo({ layout }: KvCache, slots: Slots, rows: Slots, kvLens: readonly number[]): Slots {
  const { numKvHeads, headDim, capacity, batch } = layout;
  const numTokens = rows.length / (batch * numKvHeads * headDim);
  const out = slots.slice();
  for (let head = 0; head < batch * numKvHeads; head++) {
    const slot = head * capacity + kvLens[Math.floor(head / numKvHeads)]!;
    out.set(rows.subarray(head * numTokens * headDim, (head + 1) * numTokens * headDim), slot * headDim);
  }
  return out;
}

async function expectStored(cache: KvCache, k: Slots, v: Slots, layer = 0): Promise<void> {
  const { device, layout } = cache;
  expect(new Uint8Array(await readBack(device, cache.layers[layer]!.k))).toEqual(encodeRows(layout.k, k));
  expect(new Uint8Array(await readBack(device, cache.layers[layer]!.v))).toEqual(encodeRows(layout.v, v));
}

/** A cache whose every slot holds a known number, and its host model. */
async function filled(device: GqaDevice, options: CacheOptions, kvLens: readonly number[]) {
  const cache = await createKvCache(device, options);
  const { layout } = cache;
  const count = layout.k.heads * layout.capacity * layout.headDim;
  const [k, v] = [held(layout.kType, counting(count, 0)), held(layout.vType, counting(count, 777))];
  for (let layer = 0; layer < layout.layers; layer++) {
    cache.load({ layer, k: encodeRows(layout.k, k), v: encodeRows(layout.v, v), kvLens });
  }
  return { cache, k, v };
}

function newTokens(cache: KvCache, numTokens: number, from: number) {
  const { batch, numKvHeads, headDim } = cache.layout;
  const count = batch * numKvHeads * numTokens * headDim;
  const k = held(cache.layout.kType, counting(count, from));
  const v = held(cache.layout.vType, counting(count, from + 1000));
  return {
    k,
    v,
    args: {
      k: uploadStorage(cache.device, 'k', k),
      v: uploadStorage(cache.device, 'v', v),
      numTokens,
    },
  };
}

describe('append writes the new rows and leaves every other slot alone', () => {
  test.each<[string, CacheOptions, readonly number[], number]>([
    ['one token, f32', { numKvHeads: 2, headDim: 64, capacity: 5 }, [3], 1],
    ['into an empty cache', { numKvHeads: 2, headDim: 64, capacity: 5 }, [0], 1],
    ['the last slot', { numKvHeads: 3, headDim: 64, capacity: 5 }, [4], 1],
    ['ragged lengths', { batch: 3, numKvHeads: 2, headDim: 64, capacity: 9 }, [0, 8, 5], 1],
    ['several tokens, ragged', { batch: 2, numKvHeads: 2, headDim: 64, capacity: 20 }, [7, 1], 13],
    ['the whole capacity', { numKvHeads: 2, headDim: 64, capacity: 33 }, [0], 33],
    [
      'several tokens, D no multiple of 64',
      { batch: 2, numKvHeads: 1, headDim: 80, capacity: 11 },
      [2, 4],
      7,
    ],
    ['f16', { batch: 2, numKvHeads: 2, headDim: 64, capacity: 6, kType: 'f16' }, [1, 5], 1],
    ['bf16', { batch: 2, numKvHeads: 2, headDim: 64, capacity: 6, kType: 'bf16' }, [1, 5], 1],
    ['int8', { batch: 2, numKvHeads: 2, headDim: 64, capacity: 7, kType: 'int8' }, [1, 6], 1],
    [
      'int8, the whole capacity',
      { batch: 2, numKvHeads: 3, headDim: 64, capacity: 6, kType: 'int8' },
      [0, 0],
      6,
    ],
    ['int4', { batch: 2, numKvHeads: 2, headDim: 64, capacity: 7, kType: 'int4' }, [1, 6], 1],
    ['several tokens, int4', { batch: 2, numKvHeads: 2, headDim: 80, capacity: 9, kType: 'int4' }, [1, 6], 3],
    ['several tokens, f16', { numKvHeads: 2, headDim: 64, capacity: 8, kType: 'f16' }, [3], 4],
    ['K f16, V f32', { numKvHeads: 2, headDim: 64, capacity: 4, kType: 'f16', vType: 'f32' }, [1], 2],
    ['K int8, V int4', { numKvHeads: 2, headDim: 64, capacity: 5, kType: 'int8', vType: 'int4' }, [1], 3],
    ['K f32, V f16', { numKvHeads: 2, headDim: 64, capacity: 4, kType: 'f32', vType: 'f16' }, [1], 2],
  ])('%s', async (_name, options, kvLens, numTokens) => {
    const { cache, k, v } = await filled(await testDevice(), options, kvLens);
    const fresh = newTokens(cache, numTokens, 311);
    await cache.append(fresh.args);
    await expectStored(cache, appendTo(cache, k, fresh.k, kvLens), appendTo(cache, v, fresh.v, kvLens));
    expect(cache.kvLens()).toEqual(kvLens.map((kvLen) => kvLen + numTokens));
    cache.destroy();
  });
});

test('tokens appended one by one lie one behind the other, full to the last slot', async () => {
  const { cache, k, v } = await filled(await testDevice(), { numKvHeads: 2, headDim: 64, capacity: 6 }, [2]);
  let [wantK, wantV] = [k, v];
  for (let step = 0; step < 4; step++) {
    const fresh = newTokens(cache, 1, 100 * step);
    wantK = appendTo(cache, wantK, fresh.k, [2 + step]);
    wantV = appendTo(cache, wantV, fresh.v, [2 + step]);
    await cache.append(fresh.args);
  }
  await expectStored(cache, wantK, wantV);
  expect(cache.kvLens()).toEqual([6]);
});

test('one bound append, recorded many times into one encoder, writes a slot after the other', async () => {
  const device = await testDevice();
  const { cache, k, v } = await filled(device, { batch: 2, numKvHeads: 1, headDim: 64, capacity: 8 }, [0, 3]);
  const fresh = newTokens(cache, 1, 55);
  const bound = await cache.bindAppend(fresh.args);
  const encoder = device.gpu.createCommandEncoder();
  let [wantK, wantV] = [k, v];
  for (let step = 0; step < 5; step++) {
    bound.record(encoder);
    wantK = appendTo(cache, wantK, fresh.k, [step, 3 + step]);
    wantV = appendTo(cache, wantV, fresh.v, [step, 3 + step]);
  }
  expect(cache.kvLens()).toEqual([5, 8]);
  device.gpu.queue.submit([encoder.finish()]);
  await expectStored(cache, wantK, wantV);
});

test('layers are independent', async () => {
  const options = { numKvHeads: 1, headDim: 64, capacity: 4, layers: 3 };
  const { cache, k, v } = await filled(await testDevice(), options, [1]);
  const fresh = newTokens(cache, 2, 9);
  await cache.append({ ...fresh.args, layer: 1 });
  await expectStored(cache, k, v, 0);
  await expectStored(cache, appendTo(cache, k, fresh.k, [1]), appendTo(cache, v, fresh.v, [1]), 1);
  await expectStored(cache, k, v, 2);
  expect([cache.kvLens(0), cache.kvLens(1), cache.kvLens(2)]).toEqual([[1], [3], [1]]);
});

test('new rows may lie anywhere in a larger buffer', async () => {
  const device = await testDevice();
  const { cache, k, v } = await filled(device, { numKvHeads: 1, headDim: 64, capacity: 4 }, [2]);
  const rows = counting(192, 500); // three rows of 256 bytes: WebGPU's offset alignment
  const buffer = uploadStorage(device, 'rows', rows);
  await cache.append({ k: { buffer, offset: 512 }, v: { buffer, offset: 256, size: 256 } });
  await expectStored(
    cache,
    appendTo(cache, k, rows.slice(128, 192), [2]),
    appendTo(cache, v, rows.slice(64, 128), [2]),
  );
});

describe('f16 storage', () => {
  test('saturates at the largest half and rounds to the nearest', async () => {
    const device = await testDevice();
    const cache = await createKvCache(device, { numKvHeads: 1, headDim: 64, capacity: 1, kType: 'f16' });
    const given = counting(64, 0).fill(0);
    given.set([1e6, -1e6, 65504, 65519, 0.1, 1 / 3, -1000.3]);
    const row = uploadStorage(device, 'row', given);
    await cache.append({ k: row, v: row });
    const got = new Uint16Array(await readBack(device, cache.layers[0]!.k));
    expect(Array.from(got.subarray(0, 4))).toEqual([0x7bff, 0xfbff, 0x7bff, 0x7bff]);
    expect(Array.from(got.subarray(4, 7))).toEqual([0x2e66, 0x3555, 0xe3d1]);
    expect(new Uint16Array(await readBack(device, cache.layers[0]!.v))).toEqual(got);
  });
});
