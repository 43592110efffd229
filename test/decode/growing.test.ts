// growing.test.ts: 40 steps of append and decode on one cache, as an engine makes them, each held against the reference.
import { expect, test } from 'vitest';
import { normals } from '../../src/numbers/random.ts';
import { storeProblem, type StoredProblem } from '../../src/reference/problem.ts';
import {
  createDecoder,
  createKvCache,
  createStorage,
  encodeRows,
  readBack,
  type DecodeKernel,
  type GqaDevice,
  type KvCache,
  type KvType,
} from '../../src/index.ts';
import { expectClose } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';
import { KERNELS } from '../support/kernels.ts';

const BATCH = 2;
const KV_HEADS = 2;
const D = 64;
const Q_ROWS = BATCH * 8;
const CAPACITY = 71;
const STARTS = [3, 30];
const STEPS = 40;

const cacheShape = { batch: BATCH, numKvHeads: KV_HEADS, headDim: D, capacity: CAPACITY };

/** The host's copy of a cache: what the reference sees. */
class Mirror {
  readonly #kType: KvType;
  readonly #k = new Float32Array(BATCH * KV_HEADS * CAPACITY * D);
  readonly #v = new Float32Array(BATCH * KV_HEADS * CAPACITY * D);
  readonly kvLens: number[] = STARTS.map(() => 0);

  constructor(kType: KvType) {
    this.#kType = kType;
  }

  /** Appends rows [B, Hkv, 1, D] to the sequences for which `grows` says so. */
  append(k: Float32Array, v: Float32Array, grows: (b: number) => boolean = () => true): void {
    for (let head = 0; head < BATCH * KV_HEADS; head++) {
      const b = Math.floor(head / KV_HEADS);
      if (!grows(b)) continue;
      const slot = (head * CAPACITY + this.kvLens[b]!) * D;
      this.#k.set(k.subarray(head * D, (head + 1) * D), slot);
      this.#v.set(v.subarray(head * D, (head + 1) * D), slot);
    }
    this.kvLens.forEach((kvLen, b) => (this.kvLens[b] = grows(b) ? kvLen + 1 : kvLen));
  }

  problem(q: Float32Array<ArrayBuffer>): StoredProblem {
    return storeProblem({
      ...cacheShape,
      numQHeads: 8,
      kType: this.#kType,
      kvLens: [...this.kvLens],
      q,
      k: this.#k,
      v: this.#v,
    });
  }
}

/** Fills the mirror to the starting lengths and the cache from it; slots behind them hold NaN. */
function start(cache: KvCache, mirror: Mirror): void {
  for (let t = 0; t < Math.max(...STARTS); t++) {
    mirror.append(
      normals(1000 + t, BATCH * KV_HEADS * D),
      normals(2000 + t, BATCH * KV_HEADS * D),
      (b) => t < STARTS[b]!,
    );
  }
  const { k, v } = mirror.problem(new Float32Array(Q_ROWS * D));
  for (let head = 0; head < BATCH * KV_HEADS; head++) {
    const from = (head * CAPACITY + STARTS[Math.floor(head / KV_HEADS)]!) * D;
    k.fill(NaN, from, (head + 1) * CAPACITY * D);
    v.fill(NaN, from, (head + 1) * CAPACITY * D);
  }
  const { layout } = cache;
  cache.load({ k: encodeRows(layout.k, k), v: encodeRows(layout.v, v), kvLens: STARTS });
}

async function grow(
  device: GqaDevice,
  type: KvType,
  inOnePass: boolean,
  kernel?: DecodeKernel,
): Promise<void> {
  const cache = await createKvCache(device, { ...cacheShape, kType: type });
  const decoder = await createDecoder(device, { cache, numQHeads: 8, ...(kernel && { kernel }) });
  const mirror = new Mirror(type);
  start(cache, mirror);
  const rows = BATCH * KV_HEADS * D * 4;
  const [k, v] = [createStorage(device, 'k', rows), createStorage(device, 'v', rows)];
  const [q, o] = [createStorage(device, 'q', Q_ROWS * D * 4), createStorage(device, 'o', Q_ROWS * D * 4)];
  const lse = createStorage(device, 'lse', Q_ROWS * 4);
  const append = await cache.bindAppend({ k, v });
  const decode = await decoder.bind({ q, o, lse });
  const { queue } = device.gpu;
  for (let step = 0; step < STEPS; step++) {
    const fresh = [0, 1].map((i) => normals(7 * step + i, BATCH * KV_HEADS * D));
    const query = normals(7 * step + 2, Q_ROWS * D);
    queue.writeBuffer(k, 0, fresh[0]!);
    queue.writeBuffer(v, 0, fresh[1]!);
    queue.writeBuffer(q, 0, query);
    const encoder = device.gpu.createCommandEncoder();
    const pass = inOnePass ? encoder.beginComputePass() : undefined;
    append.record(pass ?? encoder);
    decode.record(pass ?? encoder, decoder.plan({ kvLens: cache.kvLens() }));
    pass?.end();
    queue.submit([encoder.finish()]);
    mirror.append(fresh[0]!, fresh[1]!);
    expect(cache.kvLens()).toEqual(mirror.kvLens);
    const got = [await readBack(device, o), await readBack(device, lse)].map((x) => new Float32Array(x));
    expectClose(mirror.problem(query), got[0]!, got[1]!, `step ${step}`);
  }
  expect(cache.kvLens()).toEqual([43, 70]);
  for (const made of [decoder, cache, k, v, q, o, lse]) made.destroy();
}

// The kernels that compile fastest; numerics of the others: kernels/*.test.ts.
test.each<[KvType, DecodeKernel | undefined]>([
  ...KERNELS.map((kernel): [KvType, DecodeKernel] => ['f32', kernel]),
  ['f16', undefined],
  ['bf16', 'plain'],
  ['int8', 'plain'],
  ['int4', 'plain'],
])('40 steps, %s, %s', async (type, kernel) => {
  await grow(await testDevice(), type, false, kernel);
});

test('40 steps, append and decode in one compute pass', async () => {
  await grow(await testDevice(), 'f32', true);
});
