// elements.test.ts: the host's conversions between numbers and the bits a cache stores.
import { describe, expect, test } from 'vitest';
import { decodeElements, encodeElements, KV_TYPES } from '../../src/index.ts';

/** Bits of an f16 by the public API. */
function half(value: number): number {
  return (encodeElements('f16', [value]) as Uint16Array)[0]!;
}

// The value of every finite half in plain arithmetic, from IEEE 754: (-1)^s * 2^(e-15) * (1 + f/1024), and
// (-1)^s * 2^-14 * f/1024 where e = 0.
function valueOf(bits: number): number {
  const sign = bits >= 0x8000 ? -1 : 1;
  const exponent = Math.floor(bits / 1024) % 32;
  const fraction = (bits % 1024) / 1024;
  return sign * (exponent === 0 ? 2 ** -14 * fraction : 2 ** (exponent - 15) * (1 + fraction));
}

const allFinite = Array.from({ length: 65536 }, (_, bits) => bits).filter(
  (bits) => (bits & 0x7c00) !== 0x7c00,
);

describe('f16', () => {
  test('decodes every finite half', () => {
    const decoded = decodeElements('f16', Uint16Array.from(allFinite));
    expect(Array.from(decoded)).toEqual(allFinite.map(valueOf));
  });

  test('encodes what it decodes, -0 included', () => {
    const bits = Uint16Array.from(allFinite);
    expect(encodeElements('f16', decodeElements('f16', bits))).toEqual(bits);
  });

  test('rounds halfway cases between all neighbours to the even one, all others to the nearest', () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const low = valueOf(bits);
      const middle = (low + valueOf(bits + 1)) / 2; // exact in f32: it has 12 significant bits
      const even = bits % 2 === 0 ? bits : bits + 1;
      const step = middle * 2 ** -20; // more than the spacing of f32 here
      const got = [half(middle), half(middle - step), half(middle + step)];
      if (got[0] !== even || got[1] !== bits || got[2] !== bits + 1) {
        expect.fail(`around ${middle}: expected ${[even, bits, bits + 1].join(', ')}, got ${got.join(', ')}`);
      }
    }
  });

  test.each([
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [0.1, 0x2e66],
    [1 / 3, 0x3555],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [-(2 ** -26), 0x8000],
    [65519.996, 0x7bff],
    [65520, 0x7bff],
    [1e30, 0x7bff],
    [-1e30, 0xfbff],
    [Infinity, 0x7c00],
    [-Infinity, 0xfc00],
  ])('%s is stored as these bits', (value, bits) => {
    expect(half(value)).toBe(bits);
  });

  test('NaN stays NaN', () => {
    expect(decodeElements('f16', encodeElements('f16', [NaN]))).toEqual(Float32Array.of(NaN));
    expect(decodeElements('f16', Uint16Array.of(0x7c01, 0xffff))).toEqual(Float32Array.of(NaN, NaN));
  });
});

test('f32 is stored as it is', () => {
  const values = Float32Array.of(1.5, -0, 1e-45, 3e38, Infinity);
  expect(encodeElements('f32', values)).toEqual(values);
  expect(decodeElements('f32', values)).toEqual(values);
});

test('decodes a view that begins inside its buffer, without sharing it', () => {
  const f32 = Float32Array.of(7, 1, 2);
  const copy = decodeElements('f32', f32.subarray(1));
  expect(copy).toEqual(Float32Array.of(1, 2));
  f32[1] = 9;
  expect(copy[0]).toBe(1);
  expect(decodeElements('f16', Uint16Array.of(0, 0x3c00, 0x4000).subarray(1))).toEqual(Float32Array.of(1, 2));
});

test('every element type survives a round trip of values it can hold', () => {
  for (const type of KV_TYPES) {
    expect(decodeElements(type, encodeElements(type, [0, 1, -0.5, 2048]))).toEqual(
      Float32Array.of(0, 1, -0.5, 2048),
    );
  }
});
