// storedRows.test.ts: rows of a cache encoded and decoded on the host, against plain arithmetic: every type, odd sizes.
import { describe, expect, test } from 'vitest';
import { normals } from '../../src/numbers/random.ts';
import { decodeRows, encodeRows, KV_TYPES, ShapeError, type RowsLayout } from '../../src/index.ts';
import {
  bfloatValue,
  halfValue,
  int4Scale,
  int8Scale,
  lostOf,
  nearestBfloat,
  nearestHalf,
  nearestStep,
  placeOf,
  stepsOf,
} from '../reference/storedRows.ts';
import { HEAD_DIMS, RARE_HEAD_DIMS } from '../support/shapes.ts';

const LARGEST_F32 = (2 - 2 ** -23) * 2 ** 127;

const layoutOf = (type: RowsLayout['type'], headDim = 64, heads = 1, capacity = 1): RowsLayout => {
  return { type, headDim, heads, capacity };
};

/** Values of one row, the rest 0. */
function rowOf(headDim: number, ...values: number[]): number[] {
  return [...values, ...Array.from({ length: headDim - values.length }, () => 0)];
}

/** The sign of a zero says nothing: 0 steps of a negative scale are -0. */
const plainZeros = (values: Iterable<number>) => Array.from(values, (x) => x + 0);

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at]! + 256 * bytes[at + 1]!;
}

describe('f32, f16 and bf16', () => {
  test('rows lie one behind the other, little-endian, and nothing behind them', () => {
    const values = normals(1, 3 * 5 * 80).map((x) => x * 100);
    const f32 = encodeRows(layoutOf('f32', 80, 3, 5), values);
    expect(f32.byteLength).toBe(3 * 5 * 80 * 4);
    expect(new Float32Array(f32.buffer)).toEqual(values);
    for (const [type, nearest] of [
      ['f16', nearestHalf],
      ['bf16', nearestBfloat],
    ] as const) {
      const stored = encodeRows(layoutOf(type, 80, 3, 5), values);
      expect(stored.byteLength).toBe(3 * 5 * 80 * 2);
      const wrong = values.filter((x, i) => u16(stored, 2 * i) !== nearest(x));
      expect([...wrong]).toEqual([]);
    }
  });

  test.each([
    ['f16', halfValue, 0x7c00],
    ['bf16', bfloatValue, 0x7f80],
  ] as const)('%s: all finite values come back bit for bit', (type, valueOf, infinity) => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i).filter((x) => (x & 0x7fff) < infinity);
    const layout = layoutOf(type, 8, 1, bits.length / 8);
    const values = decodeRows(layout, bits);
    expect(values).toEqual(Float32Array.from(bits, valueOf));
    expect(new Uint16Array(encodeRows(layout, values).buffer)).toEqual(bits);
  });

  test('NaN and infinities stay what they are', () => {
    for (const type of ['f32', 'f16', 'bf16'] as const) {
      const layout = layoutOf(type, 8);
      const given = Float32Array.of(NaN, Infinity, -Infinity, 1, -0, 0, 0.5, -2);
      expect(decodeRows(layout, encodeRows(layout, given))).toEqual(given);
    }
  });
});

describe('int8', () => {
  test('by hand: steps of a 127th of the largest magnitude, which is rounded to bf16 first', () => {
    const values = rowOf(64, 127, -127, 64, 0.5, 1.5, -0.5, 2.49);
    const stored = encodeRows(layoutOf('int8'), values);
    expect(stored.byteLength).toBe(64 + 16);
    // Scale 1; bytes are steps + 128; 0.5 and 1.5 are ties.
    expect([...stored.subarray(0, 8)]).toEqual([255, 1, 192, 128, 130, 128, 130, 128]);
    expect(u16(stored, 64)).toBe(0x3f80);
    expect(plainZeros(decodeRows(layoutOf('int8'), stored).subarray(0, 7))).toEqual([
      127, -127, 64, 0, 2, 0, 2,
    ]);
  });

  test('every head begins with a scale of its own 32 bits: an odd capacity leaves one empty', () => {
    const layout = layoutOf('int8', 64, 3, 3);
    const values = Array.from({ length: 9 * 64 }, (_, i) => 127 * 2 ** (Math.floor(i / 64) - 4));
    const stored = encodeRows(layout, values);
    expect(stored.byteLength).toBe(9 * 64 + 32); // 3 heads * 4 scales * 2 bytes = 24, in whole words 32
    const scales = Array.from({ length: 12 }, (_, i) => bfloatValue(u16(stored, 9 * 64 + 2 * i)));
    expect(scales).toEqual([2 ** -4, 2 ** -3, 2 ** -2, 0, 2 ** -1, 1, 2, 0, 4, 8, 16, 0]);
    expect([...decodeRows(layout, stored)]).toEqual(values);
  });
});

describe('int4', () => {
  test('by hand: steps of an eighth of the element of the largest magnitude, which is -8', () => {
    const values = rowOf(64, 16, -14, 3, 1, -3, 5);
    values[32] = -8;
    values[33] = 7;
    values[34] = -7.5;
    const stored = encodeRows(layoutOf('int4'), values);
    expect(stored.byteLength).toBe(32 + 16);
    // Scale -2: steps -8, 7, -1.5, -0.5, 1.5, -2.5, ties to even, plus 8; the first of two elements is the lower half.
    expect([...stored.subarray(0, 3)]).toEqual([0xf0, 0x86, 0x6a]);
    // Scale 1: -8, 7, and -7.5, halfway between -8 and -7.
    expect([...stored.subarray(16, 18)]).toEqual([0xf0, 0x80]);
    expect([u16(stored, 32), u16(stored, 34)]).toEqual([0xc000, 0x3f80]);
    const back = decodeRows(layoutOf('int4'), stored);
    expect(plainZeros(back.subarray(0, 6))).toEqual([16, -14, 4, 0, -4, 4]);
    expect([...back.subarray(32, 35)]).toEqual([-8, 7, -8]);
  });

  test('the last word of a row of int8 of 8 or 24 elements is half empty', () => {
    for (const [headDim, bytes] of [
      [8, 16],
      [24, 32],
    ] as const) {
      const stored = encodeRows(layoutOf('int8', headDim, 1, 2), normals(3, 2 * headDim));
      expect(stored.byteLength).toBe(2 * bytes + 16); // two scales, in a word of 16 bytes
      for (let row = 0; row < 2; row++) {
        const [begin, end] = [row * bytes + headDim, (row + 1) * bytes];
        expect([...stored.subarray(begin, end)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
      }
    }
  });

  test('the last word of a row of 80 or 112 elements is half empty, its scale alone in 32 bits or not', () => {
    for (const [headDim, words, scaleBytes] of [
      [80, 3, 8],
      [112, 4, 8],
    ] as const) {
      const layout = layoutOf('int4', headDim, 1, 3);
      const values = Array.from({ length: 3 * headDim }, (_, i) => {
        const [row, d] = [Math.floor(i / headDim), i % headDim];
        return -8 * 2 ** (row + Math.floor(d / 32) - 3);
      });
      const stored = encodeRows(layout, values);
      expect(stored.byteLength).toBe(3 * words * 16 + Math.ceil((3 * scaleBytes) / 16) * 16);
      for (let row = 0; row < 3; row++) {
        for (let word = 0; word < words; word++) {
          const scale = u16(stored, 3 * words * 16 + row * scaleBytes + 2 * word);
          expect(bfloatValue(scale)).toBe(2 ** (row + word - 3));
        }
        const empty = stored.subarray((row * words + words - 1) * 16 + 8, (row + 1) * words * 16);
        expect([...empty]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
      }
      expect([...decodeRows(layout, stored)]).toEqual(values);
    }
  });
});

describe.each(['int8', 'int4'] as const)('%s against plain arithmetic', (type) => {
  const block = type === 'int8' ? Infinity : 32;
  const scaleFor = type === 'int8' ? int8Scale : int4Scale;

  /** Steps and decoded values of each block, as plain arithmetic has them; decoded ones with the stored scale. */
  function expectRow(
    row: readonly number[],
    bytes: Uint8Array,
    scales: readonly number[],
    decoded: Float32Array,
  ) {
    const steps = stepsOf(type, bytes, row.length);
    for (let from = 0, word = 0; from < row.length; from += block, word++) {
      const part = row.slice(from, from + block);
      const wanted = scaleFor(part);
      expect(scales[word]).toBe(wanted);
      const scale = bfloatValue(wanted);
      part.forEach((x, i) => {
        expect(steps[from + i]! + 0).toBe(nearestStep(x, wanted) + 0);
        expect(decoded[from + i]! + 0).toBe(Math.fround(steps[from + i]! * scale) + 0);
      });
    }
  }

  test.each([...HEAD_DIMS, ...RARE_HEAD_DIMS])('head dim %i, seven slots', (headDim) => {
    const layout = layoutOf(type, headDim, 2, 7);
    const rowValues = (row: number) => [...normals(row + headDim, headDim)].map((x) => x * 4 ** (row - 7));
    const rows = Array.from({ length: 14 }, (_, row) => rowValues(row));
    const stored = encodeRows(layout, rows.flat());
    const decoded = decodeRows(layout, stored);
    rows.forEach((row, i) => {
      const { elements, scales } = placeOf(layout, i);
      const halves = Array.from({ length: (scales.end - scales.begin) / 2 }, (_, word) =>
        u16(stored, scales.begin + 2 * word),
      );
      const bytes = stored.subarray(elements.begin, elements.end);
      expectRow(row, bytes, halves, decoded.subarray(i * headDim, (i + 1) * headDim));
    });
  });

  test('the largest magnitude comes back, with its sign, wherever it stands', () => {
    for (const at of [0, 1, 31, 32, 63]) {
      for (const sign of [1, -1]) {
        const values = Array.from({ length: 64 }, (_, d) => (d === at ? sign * 8 : 0.25));
        const layout = layoutOf(type);
        const back = decodeRows(layout, encodeRows(layout, values));
        // 8 / 127 lies between 129 and 130 of 2048, and 127.01 of the former are 8.
        expect(back[at]! * sign).toBe(type === 'int8' ? (127 * 129) / 2048 : 8);
      }
    }
  });

  test('a row of zeros is zeros, with a scale of 0', () => {
    const layout = layoutOf(type);
    const stored = encodeRows(layout, rowOf(64));
    expect(plainZeros(decodeRows(layout, stored))).toEqual(rowOf(64));
    expect(u16(stored, type === 'int8' ? 64 : 32)).toBe(0);
  });

  test('no size vanishes because of its scale, and none is cut', () => {
    const layout = layoutOf(type);
    const steps = type === 'int8' ? 127 : 7;
    for (const size of [1e-38, 1e-37, 1e-30, 1e-12, 1e-7, 2e-6, 1, 524032, 8.3e6, 1e20, 3e38]) {
      const values = normals(3, 64).map((x) => size * Math.max(-1, Math.min(1, x / 3)));
      values.set([size, -size]);
      const back = decodeRows(layout, encodeRows(layout, values));
      // Half a step: of at most a 128th more than the largest magnitude needs, and no less than the least normal number.
      const half = Math.max((size / steps) * (1 + 2 ** -7), 2 ** -126) / 2;
      const errors = Array.from(back, (x, i) => Math.abs(x - values[i]!));
      expect([size, Math.max(...errors) <= half]).toEqual([size, true]);
      expect([back[0]! > 0, back[1]! < 0]).toEqual([true, true]);
    }
  });

  test('a NaN makes all that shares its scale NaN, and nothing else', () => {
    const layout = layoutOf(type, 64, 1, 3);
    const values = Array.from({ length: 192 }, () => 1);
    values[64 + 40] = NaN;
    const back = decodeRows(layout, encodeRows(layout, values));
    const from = type === 'int8' ? 64 : 96;
    expect([...back.keys()].filter((i) => Number.isNaN(back[i]))).toEqual(
      Array.from({ length: 128 - from }, (_, i) => from + i),
    );
  });

  test('what is read back and stored again stays as it is', () => {
    for (const headDim of [64, 80]) {
      const layout = layoutOf(type, headDim, 1, 300);
      const values = normals(5, 300 * headDim).map(
        (x, i) => x * 2 ** ((Math.floor(i / headDim) % 250) - 126),
      );
      for (let i = 0; i < values.length; i += 3 * headDim) {
        values[i] = 4 * 2 ** ((Math.floor(i / headDim) % 250) - 126); // both ends as large as each other
        values[i + 1] = -values[i]!;
      }
      const once = decodeRows(layout, encodeRows(layout, values));
      const twice = decodeRows(layout, encodeRows(layout, once));
      expect([...once.keys()].filter((i) => once[i] !== twice[i])).toEqual([]);
    }
  });

  test('numbers that are none of f32 are stored as the largest that is', () => {
    const layout = layoutOf(type);
    const lost = { notFinite: 0, saturated: 0, vanished: 0 };
    const back = decodeRows(layout, encodeRows(layout, rowOf(64, 1e39, -1e300, 1e38), lost));
    const largest = decodeRows(layout, encodeRows(layout, rowOf(64, LARGEST_F32, -LARGEST_F32, 1e38)));
    expect(back).toEqual(largest);
    expect(back.every(Number.isFinite)).toBe(true);
    expect(lost).toEqual({ notFinite: 0, saturated: 2, vanished: 0 });
  });
});

describe('what is lost', () => {
  const LOST = [NaN, Infinity, -Infinity, 65504, 65505, -1e6, 3.3895313892515355e38, LARGEST_F32, -1e39];
  const SMALL = [2 ** -126, -(2 ** -127), 2 ** -149, 1e-300, 2 ** -25, 2 ** -24, 0, -0];

  test.each([
    ['f32', 3, 1, 3],
    ['f16', 3, 5, 5],
    ['bf16', 3, 2, 3],
    ['int8', 3, 1, 0],
    ['int4', 3, 1, 0],
  ] as const)('%s: %i not finite, %i saturated, %i vanished', (type, notFinite, saturated, vanished) => {
    const lost = { notFinite: 10, saturated: 20, vanished: 30 };
    encodeRows(layoutOf(type), rowOf(64, ...LOST, ...SMALL), lost);
    expect(lost).toEqual({
      notFinite: 10 + notFinite,
      saturated: 20 + saturated,
      vanished: 30 + vanished,
    });
    expect(lostOf(type, rowOf(64, ...LOST.slice(0, -1), ...SMALL))).toEqual([
      notFinite,
      saturated - 1,
      vanished,
    ]);
  });

  test.each(['int8', 'int4'] as const)('%s: a block vanishes only where no scale is small enough', (type) => {
    const layout = layoutOf(type, 64, 1, 2);
    const lost = { notFinite: 0, saturated: 0, vanished: 0 };
    const values = [...rowOf(64, 2 ** -127, -(2 ** -140), 2 ** -126), ...rowOf(64, 1, 1e-30)];
    const back = decodeRows(layout, encodeRows(layout, values, lost));
    expect(plainZeros(back)).toEqual([...rowOf(64, 0, 0, 2 ** -126), ...rowOf(64, back[64]!)]);
    expect(lost).toEqual({ notFinite: 0, saturated: 0, vanished: 2 });
  });
});

describe('every type', () => {
  test.each(KV_TYPES)(
    '%s: decodes a view that begins within its buffer, copies, and so does encoding',
    (type) => {
      const layout = layoutOf(type, 64, 2, 3);
      const values = Float32Array.from({ length: 384 }, (_, i) => (i % 32 === 0 ? -8 : (i % 15) - 7));
      if (type === 'int8') values.forEach((_, i) => (values[i] = i % 64 === 0 ? 127 : i % 100));
      const stored = encodeRows(layout, values);
      const want = values.slice();
      values.fill(9);
      const wide = new Uint8Array(stored.byteLength + 6);
      wide.set(stored, 3);
      const decoded = decodeRows(layout, wide.subarray(3, 3 + stored.byteLength));
      wide.fill(0xff);
      expect(decoded).toEqual(want);
    },
  );

  test.each(KV_TYPES)('%s: refuses another number of values or bytes', (type) => {
    const layout = layoutOf(type, 64, 2, 3);
    expect(() => encodeRows(layout, new Float32Array(383))).toThrow(
      new ShapeError('encodeRows: values: expected 384 numbers, got 383'),
    );
    const bytes = encodeRows(layout, new Float32Array(384));
    expect(() => decodeRows(layout, bytes.subarray(4))).toThrow(
      new ShapeError(`decodeRows: stored: expected ${bytes.byteLength} bytes, got ${bytes.byteLength - 4}`),
    );
  });
});

describe('wrong arguments', () => {
  const layout = layoutOf('f16');
  const values = new Float32Array(64);
  const bytes = encodeRows(layout, values);

  test.each<[string, unknown]>([
    ['layout: expected { type, headDim, heads, capacity }, got undefined', undefined],
    ['layout: expected { type, headDim, heads, capacity }, got null', null],
    ['layout: expected { type, headDim, heads, capacity }, got an array of 0', []],
    ['layout.type must be one of f32, f16, bf16, int8, int4, got undefined', {}],
    ['layout.type must be one of f32, f16, bf16, int8, int4, got "fp8"', { ...layout, type: 'fp8' }],
    [
      'layout.type must be one of f32, f16, bf16, int8, int4, got "toString"',
      { ...layout, type: 'toString' },
    ],
    ['layout.headDim: expected a multiple of 8 for f16, got 12', { ...layout, headDim: 12 }],
    ['layout.headDim: expected a multiple of 8 for f16, got undefined', { ...layout, headDim: undefined }],
    ['layout.headDim: expected a multiple of 8 for int4, got 4', { ...layout, type: 'int4', headDim: 4 }],
    ['layout.heads: expected a positive whole number, got 0', { ...layout, heads: 0 }],
    ['layout.capacity: expected a positive whole number, got 1.5', { ...layout, capacity: 1.5 }],
  ])('%s', (message, wrong) => {
    for (const [name, call] of [
      ['encodeRows', () => encodeRows(wrong as RowsLayout, values)],
      ['decodeRows', () => decodeRows(wrong as RowsLayout, bytes)],
    ] as const) {
      expect(call).toThrow(new ShapeError(`${name}: ${message}`));
    }
  });

  test.each<[string, unknown]>([
    ['values: expected a Float32Array or an array of 64 numbers, got undefined', undefined],
    ['values: expected a Float32Array or an array of 64 numbers, got a Float64Array', new Float64Array(64)],
    ['values: expected a Float32Array or an array of 64 numbers, got an Uint16Array', new Uint16Array(64)],
    ['values: expected a Float32Array or an array of 64 numbers, got an ArrayBuffer', values.buffer],
    ['values: expected a Float32Array or an array of 64 numbers, got an object', { length: 64 }],
    ['values: expected a Float32Array or an array of 64 numbers, got "x"', 'x'],
    ['values: expected 64 numbers, got 32', new Float32Array(32)],
    [
      'values[3]: expected a number, got undefined',
      Array.from({ length: 64 }, (_, i) => (i === 3 ? undefined : 1)),
    ],
    ['values[0]: expected a number, got "1"', Array.from({ length: 64 }, () => '1')],
    ['values[0]: expected a number, got 1n', Array.from({ length: 64 }, () => 1n)],
  ])('encodeRows: %s', (message, wrong) => {
    expect(() => encodeRows(layout, wrong as Float32Array)).toThrow(new ShapeError(`encodeRows: ${message}`));
  });

  test('encodeRows: a layout far larger than the values is refused before anything is allocated', () => {
    expect(() => encodeRows({ ...layout, capacity: 2 ** 40 }, values)).toThrow(ShapeError);
  });

  test.each<[string, unknown]>([
    ['stored: expected a view of 128 bytes, such as a Uint8Array, got undefined', undefined],
    ['stored: expected a view of 128 bytes, such as a Uint8Array, got an ArrayBuffer', bytes.buffer],
    ['stored: expected a view of 128 bytes, such as a Uint8Array, got a Float64Array', new Float64Array(16)],
    ['stored: expected a view of 128 bytes, such as a Uint8Array, got an array of 128', [...bytes]],
    ['stored: expected 128 bytes, got 64', new Uint16Array(32)],
  ])('decodeRows: %s', (message, wrong) => {
    expect(() => decodeRows(layout, wrong as Uint8Array)).toThrow(new ShapeError(`decodeRows: ${message}`));
  });
});
