// appendKvEnds.test.ts: append_kv of what is hard to store: ties, ends of a type's range, NaN and infinity. All exact.
import { describe, expect, test } from 'vitest';
import { normals } from '../../src/numbers/random.ts';
import {
  APPEND_STATUS_WORDS,
  appendGrid,
  appendKv as appendKvKernel,
  appendStatus,
} from '../../src/kernels/appendKv.ts';
import { KV_TYPES, type RowsLayout } from '../../src/numbers/elements.ts';
import { f16Bits } from '../../src/numbers/halves.ts';
import { decodeRows, encodeRows } from '../../src/numbers/storedRows.ts';
import { bfloatValue, halfValue, int4Scale, nearestBfloat } from '../reference/storedRows.ts';
import { append, appendStep, type Bytes, check, layoutOf, pair, u16s } from '../support/appendedRows.ts';
import { testDevice } from '../support/device.ts';
import { runKernel } from '../support/runKernel.ts';

const device = await testDevice();

describe('append_kv at the ends of a type', () => {
  const sizes = { kvLens: [0], numKvHeads: 1, numTokens: 4, capacity: 4, headDim: 64 };

  test('f32 comes back bit for bit, extremes too', () => {
    const values = normals(3, 256);
    values.set([3.4028234663852886e38, -3.4028234663852886e38, 2 ** -126, 1e-30, -65520, 16777217]);
    return check(sizes, pair('f32'), values);
  });

  test('f16: exact halves stay as they are, values between become the nearest', () => {
    const values = normals(4, 256).map((x, i) => x * 2 ** ((i % 30) - 15));
    for (let i = 0; i < 128; i++) values[i] = halfValue(0x0400 + 241 * i) * (i % 2 ? -1 : 1);
    return check(sizes, pair('f16'), values);
  });

  test('f16: too large values saturate to the largest finite half', async () => {
    const values = new Float32Array(256).map((_, i) => (i % 2 ? -1 : 1) * (65504 + i ** 2));
    values.set([65504, 65505, 65519.99, 65520, 65536, 1e6, 3.4028234663852886e38, -3.4028234663852886e38]);
    const stored = await append(sizes, pair('f16'), values);
    expect(u16s(stored).slice(0, 8)).toEqual([
      0x7bff, 0x7bff, 0x7bff, 0x7bff, 0x7bff, 0x7bff, 0x7bff, 0xfbff,
    ]);
  });

  test('f16: subnormal halves are exact, and values between them become the nearest', async () => {
    const values = new Float32Array(256).map((_, i) => (i % 2 ? -1 : 1) * i * 2 ** -25);
    values.set([2 ** -14, 2 ** -24, 2 ** -25, 1e-20, 0, -0, 1023 * 2 ** -24, 1023.5 * 2 ** -24]);
    values.set([2 ** -149, -(2 ** -127), 2 ** -25 * (1 + 2 ** -23), 1.5 * 2 ** -24, 2.5 * 2 ** -24], 8);
    const stored = await append(sizes, pair('f16'), values);
    expect(u16s(stored).slice(0, 13)).toEqual([0x0400, 1, 0, 0, 0, 0x8000, 1023, 0x0400, 0, 0x8000, 1, 2, 2]);
  });

  test('bf16: ties go to even, too large values saturate, signs stay', async () => {
    const values = normals(4, 256).map((x, i) => x * 2 ** (i - 128));
    values.set([257, 259, 261, -257, -259, 1.00390625, 1.01171875, 3.4028234663852886e38]);
    values.set([-3.4028234663852886e38, 3.39e38, 3.3961e38, 0, -0, 0.1, -0.1, 2 ** -126], 8);
    await check(sizes, pair('bf16'), values);
    expect([257, 259, 3.4e38].map(nearestBfloat)).toEqual([0x4380, 0x4382, 0x7f7f]);
  });

  test.each(['int8', 'int4'] as const)('%s: halves of steps, and all ends of the range', (type) => {
    const values = new Float32Array(256).map((_, i) =>
      type === 'int8' ? (i % 253) / 2 - 63 : (i % 15) / 2 - 3.5,
    );
    for (let at = 0; at < 256; at += 32) values[at] = (type === 'int8' ? 127 : -8) * (at % 64 ? 0.5 : 1);
    return check(sizes, pair(type), values);
  });

  test.each(['int8', 'int4'] as const)('%s: zeros, and rows with hardly more', (type) => {
    const values = new Float32Array(256);
    for (let d = 0; d < 64; d++) values.set([d * 1e-12, (d - 32) * 1e-7, d === 40 ? 1 : 0], 64 + 3 * d);
    return check(sizes, pair(type), values);
  });

  test('int4: two elements of the same magnitude are 7 steps, up and down', async () => {
    const values = new Float32Array(256).map((_, i) => [1, -3, 3, 2, -1, 3, -3][i % 7]!);
    await check(sizes, pair('int4'), values);
    await check(
      sizes,
      pair('int4'),
      values.map((x) => -x),
    );
  });

  test('int4: the end with 7 steps loses no more than half a step', async () => {
    // The other sign's largest is from 7 to 8 eighths of the largest.
    const values = normals(7, 256);
    for (let at = 0; at < 256; at += 32) values.set([8, -7 - at / 224], at + (at % 31));
    const back = decodeRows(layoutOf(sizes, 'int4'), await append(sizes, pair('int4'), values));
    for (let at = 0; at < 256; at += 32) {
      const half = Math.abs(bfloatValue(int4Scale([...values.subarray(at, at + 32)]))) / 2;
      for (let i = at; i < at + 32; i++) expect(Math.abs(back[i]! - values[i]!)).toBeLessThanOrEqual(half);
    }
  });
});

describe('append_kv of numbers at both ends of f32', () => {
  const sizes = { kvLens: [0], numKvHeads: 1, numTokens: 4, capacity: 4, headDim: 64 };
  const LARGEST = (2 - 2 ** -23) * 2 ** 127;

  test.each(KV_TYPES)('%s: rows of one size, from subnormal numbers to the largest', async (type) => {
    for (let exponent = -149; exponent < 128; exponent += 4) {
      const values = normals(exponent + 200, 256).map((x, i) => {
        const size = 2 ** Math.min(127, exponent + Math.floor(i / 64)) * Math.max(-1.99, Math.min(1.99, x));
        return Math.max(-LARGEST, Math.min(LARGEST, size));
      });
      await check(sizes, pair(type), values);
    }
  });

  test.each(['int8', 'int4'] as const)('%s: the largest numbers of either sign', async (type) => {
    const ends = [LARGEST, 3.3895e38, 3.3e38, 3.19e38, 3.18e38, 3.1e38, 2.7e38, 1.7e38, 1.6e38];
    for (const a of ends) {
      for (const b of ends) {
        const values = new Float32Array(256).map(
          (_, i) => [a, -b, -a, b][Math.floor(i / 64)]! * (1 - (i % 32) / 32),
        );
        values.set([-b], 5);
        values.set([b], 64 + 37);
        const stored = await append(sizes, pair(type), values);
        const back = decodeRows(layoutOf(sizes, type), stored);
        expect(back.filter((x) => !Number.isFinite(x))).toHaveLength(0);
      }
    }
  });
});

describe('append_kv of NaN and infinity', () => {
  const sizes = { kvLens: [1], numKvHeads: 1, numTokens: 3, capacity: 4, headDim: 64 };
  const NANS = [0x7fc00000, 0xffc00000, 0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff];

  test.each(KV_TYPES)('%s: they stay what they are, are counted, and touch no other block', async (type) => {
    for (const [bad, i] of [
      [NaN, 0],
      [Infinity, 31],
      [-Infinity, 40],
    ] as const) {
      const values = normals(8, 192);
      values[64 + i] = bad;
      const stored = await append(sizes, pair(type), values);
      const back = decodeRows(layoutOf(sizes, type), stored).subarray(64);
      const shared = { int8: [64, 128], int4: i < 32 ? [64, 96] : [96, 128] }[type as 'int8'];
      const [begin, end] = shared ?? [64 + i, 65 + i];
      const reads = shared ? NaN : bad;
      expect([...back.subarray(begin, end)]).toEqual(Array.from({ length: end! - begin! }, () => reads));
      expect([...back].filter(Number.isFinite)).toHaveLength(192 - (end! - begin!));
    }
  });

  test.each(KV_TYPES)('%s: every NaN, whatever its bits', async (type) => {
    const layout = layoutOf({ ...sizes, kvLens: [0] }, type);
    const bits = new Uint32Array(256).fill(0x3f800000);
    NANS.forEach((nan, i) => (bits[i * 32 + 5] = nan));
    const k = new Float32Array(bits.buffer);
    const { k_cache, status } = await runKernel(device, {
      kernel: appendKvKernel({ numKvHeads: 1, headDim: 64, vHeadDim: 64, kType: type, vType: type }),
      grid: appendGrid(1, { numKvHeads: 1, numQHeads: 0 }, 4),
      inputs: { k, v: new Float32Array(256) },
      outputs: {
        k_cache: encodeRows(layout, new Float32Array(256)),
        v_cache: encodeRows(layout, new Float32Array(256)),
        status: new Uint32Array(APPEND_STATUS_WORDS),
      },
      step: appendStep({ kvLens: [0], numKvHeads: 1, numTokens: 4, capacity: 4 }, layout, layout),
    });
    const back = decodeRows(layout, k_cache!);
    NANS.forEach((_, i) => expect(back[i * 32 + 5]).toBeNaN());
    const none = { notFinite: 0, saturated: 0, vanished: 0 };
    expect(appendStatus(status as Uint32Array)).toEqual({
      executed: 1,
      k: { ...none, notFinite: NANS.length },
      v: none,
    });
  });
});

// Every f32 next to a half, next to the middle between two, and random bits: all of them as the host rounds them.
test('append_kv to f16 rounds as the host does, bit for bit', async () => {
  const bits: number[] = [];
  for (let half = 0; half < 0x7c00; half++) {
    const here = f32Bits(halfValue(half));
    const middle = f32Bits((halfValue(half) + halfValue(half + 1 === 0x7c00 ? half : half + 1)) / 2);
    bits.push(here, here + 1, here - 1, middle, middle - 1, middle + 1);
  }
  const random = normals(11, 30000);
  const randomBits = Array.from(random, (x) => (f32Bits(x) * 2654435761) % 2 ** 32);
  const all = [
    ...bits.filter((x) => x > 0),
    ...randomBits,
    0,
    1,
    0x007fffff,
    0x00800000,
    0x7f7fffff,
    0x7f800000,
  ];
  const numTokens = Math.ceil((2 * all.length) / 64);
  const words = new Uint32Array(numTokens * 64);
  all.forEach((x, i) => words.set([x, (x ^ 0x80000000) >>> 0], 2 * i));
  const k = new Float32Array(words.buffer);
  const layout: RowsLayout = { type: 'f16', headDim: 64, heads: 1, capacity: numTokens };
  const { k_cache } = await runKernel(device, {
    kernel: appendKvKernel({ numKvHeads: 1, headDim: 64, vHeadDim: 64, kType: 'f16', vType: 'f32' }),
    grid: appendGrid(1, { numKvHeads: 1, numQHeads: 0 }, numTokens),
    inputs: { k, v: k },
    outputs: {
      k_cache: encodeRows(layout, new Float32Array(k.length)),
      v_cache: new Uint32Array(k.length),
      status: new Uint32Array(APPEND_STATUS_WORDS),
    },
    step: appendStep({ kvLens: [0], numKvHeads: 1, numTokens, capacity: numTokens }, layout, layout),
  });
  const got = new Uint16Array((k_cache as Bytes).slice().buffer);
  const wrong = Array.from(k).flatMap((x, i) => {
    if (Number.isNaN(x)) return (got[i]! & 0x7fff) > 0x7c00 ? [] : [`NaN gives ${got[i]}`];
    return got[i] === f16Bits(x) ? [] : [`${x} gives ${got[i]}, not ${f16Bits(x)}`];
  });
  expect(wrong.slice(0, 5)).toEqual([]);
});

function f32Bits(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]!;
}
