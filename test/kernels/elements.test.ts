// elements.test.ts: element types of a cache: halves by hand and all of them, rounding, storage round trips.
import { describe, expect, test } from 'vitest';
import {
  BYTES_PER_ELEMENT,
  decodeElements,
  encodeElements,
  f16Bits,
  f16Value,
  KV_TYPES,
} from '../../src/kernels/elements.ts';

// From the IEEE 754 definition of binary16: sign, five exponent bits (bias 15), ten fraction bits.
const BY_HAND: readonly (readonly [number, number])[] = [
  [0, 0x0000],
  [1, 0x3c00],
  [-2, 0xc000],
  [0.5, 0x3800],
  [1.0009765625, 0x3c01],
  [65504, 0x7bff],
  [-65504, 0xfbff],
  [2 ** -14, 0x0400],
  [2 ** -24, 0x0001],
  [-1023 * 2 ** -24, 0x83ff],
  [Infinity, 0x7c00],
  [-Infinity, 0xfc00],
];

describe('f16', () => {
  test.each(BY_HAND)('%d has the bits %i', (value, bits) => {
    expect(f16Bits(value)).toBe(bits);
    expect(f16Value(bits)).toBe(value);
  });

  test('the sign of zero is kept', () => {
    expect(f16Bits(-0)).toBe(0x8000);
    expect(Object.is(f16Value(0x8000), -0)).toBe(true);
  });

  test('NaN stays NaN', () => {
    expect(f16Bits(NaN)).toBe(0x7e00);
    for (const bits of [0x7c01, 0x7e00, 0x7fff, 0xfc01, 0xffff]) expect(f16Value(bits)).toBeNaN();
  });

  test.each([
    [0.1, 0x2e66],
    [1 / 3, 0x3555],
    [2049, 0x6800], // halfway between 2048 and 2050: the even one
    [2051, 0x6802], // halfway between 2050 and 2052: the even one
    [2 ** -25, 0x0000], // halfway between 0 and the smallest
    [3 * 2 ** -25, 0x0002],
    [2 ** -14 - 2 ** -25, 0x0400], // from the subnormals up to the first normal
    [65505, 0x7bff],
    [65520, 0x7bff],
    [1e9, 0x7bff],
    [-3.4e38, 0xfbff],
  ])('%d rounds to the bits %i', (value, bits) => expect(f16Bits(value)).toBe(bits));

  test('a number close to a tie is not rounded twice', () => {
    expect(f16Bits(1 + 2 ** -11 + 2 ** -40)).toBe(0x3c01);
    expect(f16Bits(1 + 3 * 2 ** -11 - 2 ** -40)).toBe(0x3c01);
  });

  test('all finite halves come back; between two, the nearer one, in the middle the even one', () => {
    const wrong: number[] = [];
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [low, high] = [f16Value(bits), f16Value(bits + 1)];
      const middle = (low + high) / 2;
      const quarter = (high - low) / 4;
      const got = [low, low + quarter, middle, high - quarter, -low, -middle].map(f16Bits);
      const even = bits + (bits & 1);
      const want = [bits, bits, even, bits + 1, bits | 0x8000, even | 0x8000];
      if (got.some((x, i) => x !== want[i] && !(bits === 0 && i === 4))) wrong.push(bits);
    }
    expect(wrong).toEqual([]);
  });
});

describe('encodeElements and decodeElements', () => {
  const values = [0, 1, -2.5, 65504, 2 ** -24];

  test.each(KV_TYPES)('%s: exact values come back', (type) => {
    const stored = encodeElements(type, values);
    expect(stored.byteLength).toBe(values.length * BYTES_PER_ELEMENT[type]);
    expect([...decodeElements(type, stored)]).toEqual(values);
  });

  test('f16 stores rounded halves', () => {
    expect([...encodeElements('f16', [0.1, 1e6])]).toEqual([0x2e66, 0x7bff]);
    expect([...decodeElements('f16', Uint16Array.of(0x2e66))]).toEqual([0.0999755859375]);
  });

  test('decodes a view that begins within its buffer, and copies', () => {
    const floats = Float32Array.of(9, 1, 2);
    const decoded = decodeElements('f32', floats.subarray(1));
    floats[1] = 5;
    expect([...decoded]).toEqual([1, 2]);
    const bytes = new Uint8Array(Uint16Array.of(0xffff, 0x3c00).buffer, 2);
    expect([...decodeElements('f16', bytes)]).toEqual([1]);
  });

  test('encoding copies', () => {
    const given = Float32Array.of(1, 2);
    const stored = encodeElements('f32', given);
    given[0] = 7;
    expect([...stored]).toEqual([1, 2]);
  });
});
