// appendRows.test.ts: new rows in every layout and type give the same bytes as dense rows of f32; queries are turned where they lie.
import { describe, expect, test } from 'vitest';
import {
  createKvCache,
  createRope,
  createStorage,
  NotFiniteError,
  readBack,
  ShapeError,
  uploadStorage,
  type AppendArgs,
  type KvCache,
} from '../../src/index.ts';
import type { RowType } from '../../src/kernels/rowFormats.ts';
import { f16Bits, f16Value } from '../../src/numbers/halves.ts';
import { normals } from '../../src/numbers/random.ts';
import { testDevice } from '../support/device.ts';
import { failure } from '../support/failure.ts';
import { placed, placements, type RowSizes } from '../support/placedRows.ts';

const device = await testDevice();

// Sequences that take all rows, some and none, behind none, an odd number and an even one.
const STEP = { kvLens: [0, 3, 4, 5], counts: [3, 1, 0, 2], numTokens: 3 };
const [B, HKV, HQ, D, DV] = [4, 2, 4, 64, 32];

const sizesOf = (heads: number, dim: number): RowSizes => ({
  heads,
  most: STEP.numTokens,
  lens: STEP.counts,
  dim,
});

const rounded = (values: Float32Array, type: RowType) =>
  type === 'f16' ? values.map((x) => f16Value(f16Bits(x))) : values.slice();

const rowsOf = (heads: number, dim: number, seed: number, type: RowType) =>
  rounded(normals(seed, B * heads * STEP.numTokens * dim), type);

async function cacheOf(): Promise<KvCache> {
  const cache = await createKvCache(device, {
    batch: B,
    numKvHeads: HKV,
    headDim: D,
    vHeadDim: DV,
    capacity: 8,
    kType: 'int8',
    vType: 'f16',
  });
  const { kBytes, vBytes } = cache.layout;
  cache.load({
    k: new Uint8Array(kBytes).fill(0x5a),
    v: new Uint8Array(vBytes).fill(0x5a),
    kvLens: STEP.kvLens,
  });
  return cache;
}

/** All bytes of K and V after an append. */
async function appended(args: AppendArgs): Promise<[Uint8Array, Uint8Array]> {
  using cache = await cacheOf();
  await cache.append({ numTokens: STEP.numTokens, ...args }, { numTokens: STEP.counts });
  const { k, v } = cache.layers[0]!;
  return [new Uint8Array(await readBack(device, k)), new Uint8Array(await readBack(device, v))];
}

const LAYOUTS = Object.keys(placements(sizesOf(HKV, D)));

describe.each([
  ['f32', 'f32'],
  ['f16', 'f16'],
  ['f16', 'f32'],
] as const)('k of %s, v of %s', (kType, vType) => {
  test.each(LAYOUTS)('k as %s', async (layout) => {
    const k = rowsOf(HKV, D, 1, kType);
    const v = rowsOf(HKV, DV, 2, vType);
    const dense = await appended({ k: uploadStorage(device, 'k', k), v: uploadStorage(device, 'v', v) });
    // Another layout for v, so that neither can stand for the other.
    const other = LAYOUTS[(LAYOUTS.indexOf(layout) + 1) % LAYOUTS.length]!;
    const [ofK, ofV] = [placements(sizesOf(HKV, D))[layout]!, placements(sizesOf(HKV, DV))[other]!];
    const got = await appended({
      k: uploadStorage(device, 'k', placed(sizesOf(HKV, D), ofK, kType, k)),
      v: uploadStorage(device, 'v', placed(sizesOf(HKV, DV), ofV, vType, v)),
      kRows: { ...ofK.options, type: kType },
      vRows: { ...ofV.options, type: vType },
    });
    expect(got).toEqual(dense);
  });
});

test('k and v of one fused buffer, with q in front of them', async () => {
  const [k, v] = [rowsOf(HKV, D, 1, 'f16'), rowsOf(HKV, D, 2, 'f16')];
  const row = (HQ + 2 * HKV) * D; // q, k and v of a token
  const fused = new Uint16Array(B * STEP.numTokens * row).fill(0x7e00);
  for (let b = 0; b < B; b++) {
    for (let n = 0; n < STEP.numTokens; n++) {
      for (let head = 0; head < HKV; head++) {
        const from = ((b * HKV + head) * STEP.numTokens + n) * D;
        const at = (b * STEP.numTokens + n) * row + (HQ + head) * D;
        fused.set(Array.from(k.subarray(from, from + D), f16Bits), at);
        fused.set(Array.from(v.subarray(from, from + D), f16Bits), at + HKV * D);
      }
    }
  }
  const run = async (args: AppendArgs) => {
    using cache = await createKvCache(device, { batch: B, numKvHeads: HKV, headDim: D, capacity: 3 });
    await cache.append({ numTokens: STEP.numTokens, ...args });
    const { layers } = cache;
    return [await readBack(device, layers[0]!.k), await readBack(device, layers[0]!.v)];
  };
  const buffer = uploadStorage(device, 'qkv', fused);
  const layout = { batch: STEP.numTokens * row, position: row, head: D };
  const got = await run({
    k: buffer,
    v: buffer,
    kRows: { type: 'f16', layout, offset: HQ * D },
    vRows: { type: 'f16', layout, offset: (HQ + HKV) * D },
  });
  expect(got).toEqual(await run({ k: uploadStorage(device, 'k', k), v: uploadStorage(device, 'v', v) }));
});

test('every f16 is read as the number it is', async () => {
  const halves = Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits);
  const numTokens = halves.length / D;
  using cache = await createKvCache(device, { numKvHeads: 1, headDim: D, capacity: numTokens });
  const buffer = uploadStorage(device, 'halves', halves);
  await cache.append({ k: buffer, v: buffer, kRows: { type: 'f16' }, vRows: { type: 'f16' }, numTokens });
  const got = new Float32Array(await readBack(device, cache.layers[0]!.k));
  // All of exponent 31, of K and of V.
  expect((await failure(NotFiniteError, () => device.idle())).message).toContain('2048 of K, 2048 of V');
  const wrong = [...halves].filter((bits) => !Object.is(got[bits], f16Value(bits)));
  expect(wrong.map((bits) => `${bits}: ${got[bits]}, not ${f16Value(bits)}`).slice(0, 3)).toEqual([]);
});

test.each(LAYOUTS)('queries as %s are turned where they lie', async (layout) => {
  using rope = await createRope(device, { headDim: D, positions: 8 });
  const [k, v] = [
    uploadStorage(device, 'k', rowsOf(HKV, D, 1, 'f32')),
    uploadStorage(device, 'v', rowsOf(HKV, DV, 2, 'f32')),
  ];
  const q = rowsOf(HQ, D, 3, 'f16');
  const dense = uploadStorage(device, 'q', q);
  const plain = await appended({ k, v, rope, q: dense, numQHeads: HQ });
  const right = rounded(new Float32Array(await readBack(device, dense)), 'f16');
  const place = placements(sizesOf(HQ, D))[layout]!;
  for (const type of ['f32', 'f16'] as const) {
    const buffer = uploadStorage(device, 'q', placed(sizesOf(HQ, D), place, type, q));
    const qRows = { ...place.options, type };
    expect(await appended({ k, v, rope, q: buffer, qRows, numQHeads: HQ })).toEqual(plain);
    const got = await readBack(device, buffer);
    const values =
      type === 'f32'
        ? rounded(new Float32Array(got), 'f16')
        : Float32Array.from(new Uint16Array(got), f16Value);
    // What is not a row of the step is NaN as before.
    expect(values).toEqual(new Float32Array(placed(sizesOf(HQ, D), place, 'f32', right)));
  }
});

describe('bad input', () => {
  const [k, v] = [createStorage(device, 'k', 6 * HKV * D * 4), createStorage(device, 'v', 6 * HKV * DV * 4)];
  const buffers = { k, v, numTokens: 3 };

  test.each([
    [{ kRows: { offset: 2 } }, 'append: kRows: offset: expected a multiple of 4 elements, got 2'],
    [{ vRows: { type: 'int8' } }, 'append: vRows: type must be one of f32, f16, got "int8"'],
    [{ vRows: { layout: { position: 64 } } }, 'append: vRows: layout: head: expected a whole number'],
    [
      { kRows: { layout: 'BLHD' } },
      `append: k: expected ${B * 3 * HKV * D * 4} bytes, got ${6 * HKV * D * 4}`,
    ],
  ])('%o', async (wrong, expected) => {
    using cache = await cacheOf();
    const error = await failure(ShapeError, () => cache.bindAppend({ ...buffers, ...(wrong as object) }));
    expect(error.message).toContain(expected);
  });

  test('an append of more packed rows than the buffers hold changes nothing', async () => {
    using cache = await cacheOf();
    const bound = await cache.bindAppend({
      ...buffers,
      kRows: { layout: 'packed' },
      vRows: { layout: 'packed' },
    });
    const encoder = device.gpu.createCommandEncoder();
    const error = await failure(ShapeError, () => bound.record(encoder, { numTokens: [3, 3, 1, 0] }));
    expect(error.message).toBe(
      `append: k: expected at least ${7 * HKV * D * 4} bytes for the rows of its tokens, got ${6 * HKV * D * 4}`,
    );
    expect(cache.kvLens(0)).toEqual(STEP.kvLens);
    bound.record(encoder, { numTokens: STEP.counts });
    device.gpu.queue.submit([encoder.finish()]);
    await device.idle();
  });
});
