// halves.test.ts: binary16 and bfloat16 on the host: by hand, all of them, and rounding.
import { describe, expect, test } from 'vitest';
import { bf16Bits, bf16Value, bf16Values, f16Bits, f16Value, f16Values } from '../../src/numbers/halves.ts';
import { bfloatValue, halfValue, nearestBfloat, nearestHalf } from '../reference/storedRows.ts';

const FORMATS = [
  {
    name: 'f16',
    bitsOf: f16Bits,
    valueOf: f16Value,
    values: f16Values,
    plain: halfValue,
    nearest: nearestHalf,
    infinity: 0x7c00,
  },
  {
    name: 'bf16',
    bitsOf: bf16Bits,
    valueOf: bf16Value,
    values: bf16Values,
    plain: bfloatValue,
    nearest: nearestBfloat,
    infinity: 0x7f80,
  },
];

describe.each(FORMATS)('$name', ({ bitsOf, valueOf, values, plain, nearest, infinity }) => {
  const finite = Array.from({ length: 65536 }, (_, bits) => bits).filter(
    (bits) => (bits & 0x7fff) < infinity,
  );

  test('the values of all bits, one by one and in bulk', () => {
    expect(finite.filter((bits) => !Object.is(valueOf(bits), plain(bits)))).toEqual([]);
    expect(values(finite)).toEqual(Float32Array.from(finite.map(plain)));
    expect([valueOf(infinity), valueOf(infinity + 0x8000)]).toEqual([Infinity, -Infinity]);
    for (const bits of [infinity + 1, infinity + 0x40, 0x7fff, infinity + 0x8001, 0xffff]) {
      expect(valueOf(bits)).toBeNaN();
      expect(values([bits])[0]).toBeNaN();
    }
  });

  test('all finite values come back, the sign of zero included', () => {
    expect(finite.filter((bits) => bitsOf(plain(bits)) !== bits)).toEqual([]);
  });

  test('between two neighbours the nearer one, in the middle the even one, and nothing is rounded twice', () => {
    const wrong: number[] = [];
    for (let bits = 0; bits < infinity - 1; bits++) {
      const [low, high] = [plain(bits), plain(bits + 1)];
      const middle = (low + high) / 2;
      const nudge = (high - low) * 2 ** -20; // far less than the spacing of f32
      for (const value of [low + (high - low) / 4, middle - nudge, middle, middle + nudge]) {
        if (bitsOf(value) !== nearest(value) || bitsOf(-value) !== nearest(-value)) wrong.push(value);
      }
    }
    expect(wrong).toEqual([]);
    expect(nearest((plain(1) + plain(2)) / 2)).toBe(2);
    expect(nearest((plain(2) + plain(3)) / 2)).toBe(2);
  });

  test('saturates at the largest finite one; infinities and NaN stay', () => {
    const largest = plain(infinity - 1);
    for (const value of [largest, largest * 1.0001, largest * 2, 1e39, 1e300]) {
      expect([bitsOf(value), bitsOf(-value)]).toEqual([infinity - 1, infinity + 0x7fff]);
    }
    expect([bitsOf(Infinity), bitsOf(-Infinity)]).toEqual([infinity, infinity + 0x8000]);
    expect(valueOf(bitsOf(NaN))).toBeNaN();
  });
});

// From the IEEE 754 definition: sign, five exponent bits (bias 15), ten fraction bits.
test.each([
  [0, 0x0000],
  [-0, 0x8000],
  [1, 0x3c00],
  [-2, 0xc000],
  [0.5, 0x3800],
  [1.0009765625, 0x3c01],
  [65504, 0x7bff],
  [-65504, 0xfbff],
  [2 ** -14, 0x0400],
  [2 ** -24, 0x0001],
  [-1023 * 2 ** -24, 0x83ff],
  [0.1, 0x2e66],
  [1 / 3, 0x3555],
  [2049, 0x6800], // halfway between 2048 and 2050: the even one
  [2051, 0x6802], // halfway between 2050 and 2052: the even one
  [2 ** -25, 0x0000], // halfway between 0 and the smallest
  [3 * 2 ** -25, 0x0002],
  [2 ** -14 - 2 ** -25, 0x0400], // from the subnormals up to the first normal
  [65519.996, 0x7bff],
  [65520, 0x7bff],
  [1 + 2 ** -11 + 2 ** -40, 0x3c01], // close to a tie
  [1 + 3 * 2 ** -11 - 2 ** -40, 0x3c01],
])('as f16, %d has the bits %i', (value, bits) => expect(f16Bits(value)).toBe(bits));

// Sign, eight exponent bits (bias 127), seven fraction bits: the upper half of an f32.
test.each([
  [1, 0x3f80],
  [-2, 0xc000],
  [1.0078125, 0x3f81],
  [0.1, 0x3dcd],
  [1 / 3, 0x3eab],
  [257, 0x4380], // halfway between 256 and 258: the even one
  [259, 0x4382],
  [257 + 2 ** -30, 0x4381], // an f32 would be the tie
  [3.3895313892515355e38, 0x7f7f],
  [3.4028234663852886e38, 0x7f7f],
  [2 ** -133, 0x0001],
])('as bf16, %d has the bits %i', (value, bits) => expect(bf16Bits(value)).toBe(bits));
