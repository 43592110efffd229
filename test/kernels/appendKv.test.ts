// appendKv.test.ts: append_kv against its twin: what is written, how it is rounded, and that nothing else changes.
import { describe, expect, test } from 'vitest';
import { normals } from '../../bench/random.ts';
import { appendGrid, appendKv as appendKvKernel } from '../../src/kernels/appendKv.ts';
import { f16Value, type KvType } from '../../src/kernels/elements.ts';
import { type Append, appendKv } from '../reference/appendKv.ts';
import { testDevice } from '../support/device.ts';
import { runKernel, type Words } from '../support/runKernel.ts';

const device = await testDevice();

type Sizes = Omit<Append, 'rows'>;

const CONTROL: Sizes = { kvLens: [0, 3, 7], numKvHeads: 2, numTokens: 1, capacity: 9, headDim: 64 };

/** What the cache holds before: no value that an append writes. */
function initial(type: KvType, count: number): Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  return type === 'f32' ? new Float32Array(count).fill(-777) : new Uint16Array(count).fill(0x7c01);
}

const HALVES = Float64Array.from({ length: 0x7c00 }, (_, bits) => f16Value(bits)); // ascending, 0 to 65504

/**
 * The halves a value may become: itself where it is one, else either neighbour (WGSL leaves the direction open), past
 * the largest finite half that half. WGSL may flush subnormal numbers and the sign of zero.
 */
function allowedHalves(value: number): number[] {
  const sign = value < 0 ? 0x8000 : 0;
  const magnitude = Math.min(65504, Math.abs(value));
  let above = 0; // the first half that is not less, by binary search
  for (let step = 0x4000; step >= 1; step /= 2) if (HALVES[above + step - 1]! < magnitude) above += step;
  const candidates = HALVES[above] === magnitude ? [above] : [above - 1, above];
  const flushed = magnitude < 2 ** -14 ? [0] : [];
  return [...candidates, ...flushed].flatMap((bits) => (bits === 0 ? [0, 0x8000] : [bits + sign]));
}

async function check(
  sizes: Sizes,
  [kType, vType]: readonly [KvType, KvType],
  values?: Float32Array<ArrayBuffer>,
) {
  const { kvLens, numKvHeads, numTokens, capacity, headDim } = sizes;
  const heads = kvLens.length * numKvHeads;
  const k = values ?? normals(1, heads * numTokens * headDim);
  const v = values ?? normals(2, heads * numTokens * headDim);
  const before = {
    k: initial(kType, heads * capacity * headDim),
    v: initial(vType, heads * capacity * headDim),
  };
  const { k_cache, v_cache } = await runKernel(device, {
    kernel: appendKvKernel(headDim, { kType, vType }),
    grid: appendGrid(kvLens.length, numKvHeads, headDim, numTokens),
    inputs: { k, v },
    outputs: { k_cache: before.k, v_cache: before.v },
    step: Uint32Array.of(numTokens, capacity, ...kvLens),
  });
  expectAppended({ ...sizes, rows: k }, kType, before.k, k_cache!);
  expectAppended({ ...sizes, rows: v }, vType, before.v, v_cache!);
}

function expectAppended(append: Append, type: KvType, before: Words, after: Words): void {
  const expected = before.slice();
  const wrong: string[] = [];
  let written = 0;
  appendKv(append, (at, value) => {
    written++;
    expected[at] = type === 'f32' ? value : after[at]!;
    if (type === 'f32') return;
    const allowed = allowedHalves(value);
    if (!allowed.includes(after[at]!))
      wrong.push(`[${at}]: ${value} gives the half ${after[at]}, not one of ${allowed.join(', ')}`);
  });
  expect(wrong).toEqual([]);
  expect(written).toBeGreaterThan(0);
  expect(after).toEqual(expected); // all else is as before
}

const f32 = ['f32', 'f32'] as const;
const f16 = ['f16', 'f16'] as const;

describe('append_kv', () => {
  test('one token to ragged lengths', () => check(CONTROL, f32));
  test('five tokens, the last of them into the last slot', () =>
    check({ ...CONTROL, kvLens: [4, 0, 2], numTokens: 5 }, f32));
  test('slots past the capacity are dropped, and no other head is touched', () =>
    check({ ...CONTROL, kvLens: [7, 9, 8], numTokens: 4 }, f32));
  test('many KV heads', () => check({ ...CONTROL, numKvHeads: 7 }, f32));
  test('f16', () => check(CONTROL, f16));
  test('f16, several tokens and a full cache', () =>
    check({ ...CONTROL, kvLens: [7, 9, 8], numTokens: 4 }, f16));
  test('f32 keys and f16 values', () => check(CONTROL, ['f32', 'f16']));
  test('f16 keys and f32 values', () => check(CONTROL, ['f16', 'f32']));
  test.each([80, 96, 112, 128, 192, 256])('head dim %i, f16', (headDim) =>
    check({ ...CONTROL, headDim, numTokens: 3, capacity: 11 }, f16),
  );

  test('f32 comes back bit for bit, extremes too', async () => {
    const values = normals(3, 3 * 2 * 64);
    values.set([3.4028234663852886e38, -3.4028234663852886e38, 2 ** -126, 1e-30, -65520, 16777217]);
    await check(CONTROL, f32, values);
  });
});

describe('append_kv to f16', () => {
  const headDim = 64;
  const sizes = { kvLens: [0], numKvHeads: 1, numTokens: 4, capacity: 4, headDim };

  test('exact halves stay as they are, values between become a neighbour', async () => {
    const values = normals(4, 256).map((x, i) => x * 2 ** ((i % 30) - 15));
    for (let i = 0; i < 128; i++) values[i] = f16Value(0x0400 + 241 * i) * (i % 2 ? -1 : 1);
    await check(sizes, f16, values);
  });

  test('too large values saturate to the largest finite half', async () => {
    const values = new Float32Array(256).map((_, i) => (i % 2 ? -1 : 1) * (65504 + i ** 2));
    values.set([65504, 65505, 65519.99, 65520, 65536, 1e6, 3.4028234663852886e38, -3.4028234663852886e38]);
    await check(sizes, f16, values);
    expect([65505, 65520, 3.4e38].map((x) => allowedHalves(x))).toEqual([[0x7bff], [0x7bff], [0x7bff]]);
    expect(allowedHalves(-1e6)).toEqual([0xfbff]);
  });

  test('subnormal halves are exact or flushed to zero', async () => {
    const values = new Float32Array(256).map((_, i) => (i % 2 ? -1 : 1) * i * 2 ** -24);
    values.set([2 ** -14, 2 ** -24, 2 ** -25, 1e-20, 0, -0, 1023 * 2 ** -24, 1023.5 * 2 ** -24]);
    await check(sizes, f16, values);
    expect(allowedHalves(3 * 2 ** -24)).toEqual([3, 0, 0x8000]);
  });
});
