// storedRows.ts: how a cache's element types store a row, in plain arithmetic: nearest numbers found by search, bits by hand.

import type { KvType, RowsLayout } from '../../src/numbers/elements.ts';

/** A table of ascending values and the bits that stand for them. */
interface Scale {
  readonly values: Float64Array;
  readonly largest: number;
}

// From the IEEE 754 definition of binary16: (-1)^s * 2^(e-15) * (1 + f/1024), and 2^-14 * f/1024 where e = 0.
const HALVES: Scale = {
  values: Float64Array.from({ length: 0x7c00 }, (_, bits) => {
    const [exponent, fraction] = [Math.floor(bits / 1024), (bits % 1024) / 1024];
    return exponent === 0 ? 2 ** -14 * fraction : 2 ** (exponent - 15) * (1 + fraction);
  }),
  largest: 0x7bff,
};

// The same with eight exponent bits (bias 127) and seven fraction bits.
const BFLOATS: Scale = {
  values: Float64Array.from({ length: 0x7f80 }, (_, bits) => {
    const [exponent, fraction] = [Math.floor(bits / 128), (bits % 128) / 128];
    return exponent === 0 ? 2 ** -126 * fraction : 2 ** (exponent - 127) * (1 + fraction);
  }),
  largest: 0x7f7f,
};

/** The number that bits stand for. */
function valueIn({ values, largest }: Scale, bits: number): number {
  const magnitude = bits & 0x7fff;
  if (magnitude > largest + 1) return NaN;
  const value = magnitude > largest ? Infinity : values[magnitude]!;
  return bits >= 0x8000 ? -value : value;
}

/** Bits of the largest magnitude that is not above a finite number's. */
function below({ values }: Scale, value: number): number {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (values[middle]! <= Math.abs(value)) low = middle;
    else high = middle - 1;
  }
  return low;
}

function signed(value: number, magnitude: number): number {
  return (value < 0 || Object.is(value, -0) ? 0x8000 : 0) + magnitude;
}

/** Bits of the nearest of the scale's numbers, ties to even, past the largest that one; infinities stay as they are. */
function nearestIn(scale: Scale, value: number): number {
  // A NaN is the quiet one.
  if (Number.isNaN(value)) return scale.largest + 1 + (scale === HALVES ? 0x200 : 0x40);
  if (!Number.isFinite(value)) return signed(value, scale.largest + 1);
  const low = below(scale, value);
  if (low === scale.largest) return signed(value, low);
  const rest = Math.abs(value) - scale.values[low]!;
  const gap = scale.values[low + 1]! - scale.values[low]!;
  const up = rest > gap / 2 || (rest === gap / 2 && low % 2 === 1);
  return signed(value, low + (up ? 1 : 0));
}

export const halfValue = (bits: number) => valueIn(HALVES, bits);
export const bfloatValue = (bits: number) => valueIn(BFLOATS, bits);
export const nearestHalf = (value: number) => nearestIn(HALVES, value);
export const nearestBfloat = (value: number) => nearestIn(BFLOATS, value);

/** Bits of the least bfloat16 number, but for subnormal ones, of which 257/256 * steps are not less than a magnitude. */
function leastScale(magnitude: number, steps: number): number {
  if (magnitude === 0) return 0;
  if (!Number.isFinite(magnitude)) return 0x7fc0;
  let low = 0x0080;
  let high = BFLOATS.largest;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (BFLOATS.values[middle]! * steps * 257 >= magnitude * 256) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Bits of the scale of a row of int8: its largest magnitude is 127 steps. */
export function int8Scale(row: readonly number[]): number {
  return leastScale(Math.max(...row.map(Math.abs)), 127);
}

/**
 * Bits of the scale of 32 elements of int4, steps -8 to 7: the larger of the two ends is -8 steps, of a negative scale if it is
 * the positive one. Where the other one would then be 7.5 or more, or -8 steps are no finite f32, it is 7 or -7 steps.
 */
export function int4Scale(block: readonly number[]): number {
  const most = Math.max(0, ...block);
  const least = Math.max(0, ...block.map((x) => -x));
  const larger = Math.max(most, least);
  if (larger === 0 || !Number.isFinite(larger)) return leastScale(larger, 8);
  const ofEight = leastScale(larger, 8);
  const scale = BFLOATS.values[ofEight]!;
  const fits = Math.min(most, least) < 7.5 * scale && Number.isFinite(Math.fround(8 * scale));
  if (!fits) return leastScale(larger, 7);
  return most > least ? 0x8000 + ofEight : ofEight;
}

/** The whole number that `value / scale` is stored as: the nearest, of two the even one. */
export function nearestStep(value: number, bits: number): number {
  const scale = bfloatValue(bits);
  if (scale === 0 || Number.isNaN(scale)) return 0;
  const exact = value / scale;
  const low = Math.floor(exact);
  const rest = exact - low;
  return low + (rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? 1 : 0);
}

/** Elements of a row that a type cannot hold: not finite; past its largest number; too small, though not zero. */
export function lostOf(type: KvType, row: readonly number[]): [number, number, number] {
  const finite = row.filter(Number.isFinite);
  const largest = { f16: 65504, bf16: 255 * 2 ** 120 }[type as 'f16'] ?? Infinity;
  const least = { f32: 2 ** -126, bf16: 2 ** -126 }[type as 'f32'];
  const vanished = {
    f32: () => finite.filter((x) => x !== 0 && Math.abs(x) < least),
    bf16: () => finite.filter((x) => x !== 0 && Math.abs(x) < least),
    f16: () => finite.filter((x) => x !== 0 && Math.abs(x) <= 2 ** -25),
    int8: () => belowLeastScale([row], int8Scale),
    int4: () => belowLeastScale(blocksOf(row), int4Scale),
  }[type]();
  return [row.length - finite.length, finite.filter((x) => Math.abs(x) > largest).length, vanished.length];
}

/** Elements of at most half the least scale, 2^-126, in blocks that have it. */
function belowLeastScale(
  blocks: readonly (readonly number[])[],
  scaleOf: (block: readonly number[]) => number,
): number[] {
  return blocks.flatMap((block) =>
    block.filter((x) => x !== 0 && Math.abs(x) <= 2 ** -127 && scaleOf(block) % 0x8000 === 0x0080),
  );
}

/** The parts of a row of int4 that share a scale. */
export function blocksOf(row: readonly number[]): number[][] {
  return Array.from({ length: Math.ceil(row.length / 32) }, (_, i) => row.slice(32 * i, 32 * i + 32));
}

/** A row of int8 or int4 as it lies in memory: each element's whole number of steps. */
export function stepsOf(type: 'int8' | 'int4', row: Uint8Array, headDim: number): number[] {
  return Array.from({ length: headDim }, (_, d) =>
    type === 'int8' ? row[d]! - 128 : (Math.floor(row[d >> 1]! / (d % 2 ? 16 : 1)) % 16) - 8,
  );
}

/** Bytes from `begin` up to `end`. */
export interface Range {
  readonly begin: number;
  readonly end: number;
}

/** Where a row and its scales lie in a buffer of rows [heads, capacity, D]: rows in words of 16 bytes, scales behind all. */
export function placeOf(
  { type, headDim, heads, capacity }: RowsLayout,
  row: number,
): { readonly elements: Range; readonly scales: Range } {
  const bits = { f32: 32, f16: 16, bf16: 16, int8: 8, int4: 4 }[type];
  const rowBytes = Math.ceil((headDim * bits) / 128) * 16;
  const behind = heads * capacity * rowBytes;
  const [head, slot] = [Math.floor(row / capacity), row % capacity];
  // int8: a half for each row, and every head from an even number on; int4: a half for each word, in pairs.
  const evenCapacity = capacity + (capacity % 2);
  const pairs = 4 * Math.ceil(headDim / 64);
  const first = { int8: (head * evenCapacity + slot) * 2, int4: row * pairs }[type as 'int8'] ?? 0;
  const bytes = { int8: 2, int4: pairs }[type as 'int8'] ?? 0;
  return {
    elements: { begin: row * rowBytes, end: row * rowBytes + (headDim * bits) / 8 },
    scales: { begin: behind + first, end: behind + first + bytes },
  };
}
