// storedRows.ts: how a cache's element types store a row, in plain arithmetic: nearest numbers found by search, bits by hand.

import type { RowsLayout } from '../../src/kernels/elements.ts';

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

/**
 * The halves that WGSL may make of a number: itself where it is one, else either neighbour; past the largest finite half
 * that half. It may flush subnormal numbers and the sign of zero.
 */
export function allowedHalves(value: number): number[] {
  const low = below(HALVES, value);
  const exact = HALVES.values[low] === Math.abs(value) || low === HALVES.largest;
  const candidates = exact ? [low] : [low, low + 1];
  const flushed = Math.abs(value) < 2 ** -14 ? [0] : [];
  return [...new Set([...candidates, ...flushed])].flatMap((bits) =>
    bits === 0 ? [0, 0x8000] : [signed(value, bits)],
  );
}

/** Whole numbers that `value / scale` may be stored as: the nearest, and both neighbours of what is nearly halfway. */
export function allowedSteps(value: number, scale: number, least: number, most: number, slack = 0): number[] {
  if (scale === 0) return [0];
  const exact = value / scale;
  const clamp = (step: number) => Math.max(least, Math.min(most, step));
  const low = Math.floor(exact);
  const rest = exact - low;
  if (Math.abs(rest - 0.5) <= slack) return [...new Set([clamp(low), clamp(low + 1)])];
  if (rest === 0.5) return [clamp(low % 2 === 0 ? low : low + 1)];
  return [clamp(rest < 0.5 ? low : low + 1)];
}

/** The scale, before it is rounded to a half, of a row of int8: its largest magnitude is 127 steps. */
export function int8Scale(row: readonly number[]): number {
  return Math.max(...row.map(Math.abs)) / 127;
}

/** The scale of 32 elements of int4: the one of the largest magnitude, the first of several, is -8 steps. */
export function int4Scale(block: readonly number[]): number {
  let largest = 0;
  for (const x of block) if (Math.abs(x) > Math.abs(largest)) largest = x;
  return -largest / 8;
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
