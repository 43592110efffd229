// dtypes.test.ts: stored floats to float64 and back, every bit pattern and every kind of tie.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CheckpointError } from '../../../src/checkpoint/format/checkpointError.ts';
import { FloatView, floatDtype, type FloatDtype } from '../../../src/checkpoint/format/dtypes.ts';
import { DTYPE_BYTES } from '../../../src/checkpoint/format/safetensors.ts';
import { message } from '../../support/failure.ts';

function bytesOf(bits: Uint16Array | Uint8Array): Uint8Array {
  return new Uint8Array(bits.buffer);
}

function decode(dtype: FloatDtype, bits: Uint16Array | Uint8Array): Float64Array {
  const view = new FloatView(dtype, bytesOf(bits));
  const out = new Float64Array(view.length);
  view.read(0, out);
  return out;
}

/** Bits of values stored one by one. */
function encode(dtype: FloatDtype, values: readonly number[]): number[] {
  const bits = DTYPE_BYTES[dtype] === 2 ? new Uint16Array(values.length) : new Uint8Array(values.length);
  new FloatView(dtype, bytesOf(bits)).write(0, Float64Array.from(values));
  return Array.from(bits);
}

function everyPattern(dtype: FloatDtype): Uint16Array | Uint8Array {
  return DTYPE_BYTES[dtype] === 2
    ? Uint16Array.from({ length: 65536 }, (_, i) => i)
    : Uint8Array.from({ length: 256 }, (_, i) => i);
}

const SMALL = ['F16', 'BF16', 'F8_E4M3', 'F8_E5M2'] as const;

describe('every bit pattern', () => {
  test.each(SMALL)('%s comes back the same, NaN as a NaN', (dtype) => {
    const bits = everyPattern(dtype);
    const values = decode(dtype, bits);
    const again = encode(dtype, Array.from(values));
    for (let i = 0; i < bits.length; i++) {
      if (Number.isNaN(values[i]))
        expect(Number.isNaN(decode(dtype, bits.slice().fill(again[i]!))[0])).toBe(true);
      // 8-bit floats saturate, so that E5M2's infinities become its largest number.
      else if (dtype !== 'F8_E5M2' || Number.isFinite(values[i])) expect(again[i]).toBe(i);
    }
  });
});

describe('known values', () => {
  test.each([
    ['F8_E4M3', [0x38, 0x7e, 0x01, 0x08, 0xb8, 0x80], [1, 448, 2 ** -9, 2 ** -6, -1, -0]],
    ['F8_E5M2', [0x3c, 0x7b, 0x01, 0x04, 0x7c], [1, 57344, 2 ** -16, 2 ** -14, Infinity]],
    ['BF16', [0x3f80, 0xc049, 0x7f80, 0x0001, 0x8000], [1, -3.140625, Infinity, 2 ** -133, -0]],
    ['F16', [0x3c00, 0x0001, 0xfbff, 0x7c00], [1, 2 ** -24, -65504, Infinity]],
  ] as const)('%s', (dtype, bits, values) => {
    const stored = DTYPE_BYTES[dtype] === 2 ? Uint16Array.from(bits) : Uint8Array.from(bits);
    expect(Array.from(decode(dtype, stored))).toEqual(values);
    expect(decode('F8_E4M3', Uint8Array.of(0x7f))[0]).toBeNaN();
  });

  test('past the largest number all saturate; an infinity stays one', () => {
    expect(encode('F16', [1e9, -1e9])).toEqual([0x7bff, 0xfbff]);
    expect(encode('F8_E4M3', [1e9, -449, 464])).toEqual([0x7e, 0xfe, 0x7e]);
    expect(encode('F8_E5M2', [1e9, -1e9])).toEqual([0x7b, 0xfb]);
    expect(encode('BF16', [Infinity, -Infinity, 3.4e38, 1e300])).toEqual([0x7f80, 0xff80, 0x7f7f, 0x7f7f]);
  });
});

describe('rounding', () => {
  test('ties go to even, and a float64 is rounded once, not by way of an f32', () => {
    // bf16 has steps of 2^-7 from 1 on.
    expect(encode('BF16', [1 + 2 ** -8, 1 + 3 * 2 ** -8])).toEqual([0x3f80, 0x3f82]);
    expect(encode('F8_E4M3', [1 + 2 ** -4, 1 + 3 * 2 ** -4])).toEqual([0x38, 0x3a]);
    // Just off a tie by less than an f32 can tell.
    expect(encode('BF16', [1 + 2 ** -8 + 2 ** -40, 1 + 3 * 2 ** -8 - 2 ** -40])).toEqual([0x3f81, 0x3f81]);
  });

  test.each(SMALL)('%s: the stored value is the nearest there is', (dtype) => {
    const all = decode(dtype, everyPattern(dtype));
    const finite = [...new Set(all.filter((x) => Number.isFinite(x)))].toSorted((a, b) => a - b);
    const largest = finite.at(-1)!;
    const value = fc.oneof(
      fc.double({ min: -Math.min(largest, 1e30), max: Math.min(largest, 1e30), noNaN: true }),
      fc.integer({ min: 0, max: finite.length - 2 }).map((i) => (finite[i]! + finite[i + 1]!) / 2),
    );
    fc.assert(
      fc.property(value, (x) => {
        const stored = all[encode(dtype, [x])[0]!]!;
        const at = lowerBound(finite, x);
        const near = finite.slice(Math.max(0, at - 2), at + 3);
        const best = Math.min(...near.map((y) => Math.abs(y - x)));
        expect(Math.abs(stored - x)).toBe(best);
      }),
      { numRuns: 500 },
    );
  });
});

function lowerBound(sorted: readonly number[], x: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

describe('sums', () => {
  test.each(['F64', 'F32', ...SMALL] as const)(
    '%s: adds to what is there, from any element, of any length',
    (dtype) => {
      const count = 21;
      const bytes = new Uint8Array(count * DTYPE_BYTES[dtype]);
      const view = new FloatView(dtype, bytes);
      view.write(
        0,
        Float64Array.from({ length: count }, (_, i) => (i % 9) - 4),
      );
      for (const [begin, length] of [
        [0, 21],
        [3, 9],
        [20, 1],
        [5, 0],
      ] as const) {
        const sums = Float64Array.from({ length }, (_, i) => 100 * i);
        view.addTo(begin, sums);
        expect(Array.from(sums)).toEqual(Array.from({ length }, (_, i) => 100 * i + ((begin + i) % 9) - 4));
      }
    },
  );

  test('-0 stays -0', () => {
    const view = new FloatView('F32', new Uint8Array(Float32Array.of(-0, 0).buffer));
    const out = new Float64Array(2);
    view.read(0, out);
    expect(Array.from(out)).toEqual([-0, 0]);
  });
});

test('integers cannot be averaged, and are probably quantised weights', async () => {
  expect(await message(CheckpointError, () => floatDtype('I8', 'm: tensor "w"'))).toBe(
    'm: tensor "w": dtype I8 cannot be averaged; F64, F32, F16, BF16, F8_E4M3, F8_E5M2 can. Is it quantised? Convert the original instead',
  );
  expect(floatDtype('BF16', 'x')).toBe('BF16');
});
