// dtypes.ts: stored floating-point elements to float64 and back, for F64, F32, F16, BF16 and the two 8-bit floats.
import { bf16Bits, bf16Value, f16Bits, f16Value } from '../../numbers/halves.ts';
import { fail } from './checkpointError.ts';
import { DTYPE_BYTES, isDtype } from './safetensors.ts';

/** Element types that can be averaged: the floating-point ones. */
export type FloatDtype = 'F64' | 'F32' | 'F16' | 'BF16' | 'F8_E4M3' | 'F8_E5M2';

const FLOATS: readonly string[] = ['F64', 'F32', 'F16', 'BF16', 'F8_E4M3', 'F8_E5M2'];

function isFloat(dtype: string): dtype is FloatDtype {
  return FLOATS.includes(dtype);
}

/** The dtype, if it is a floating-point one; integers (of a quantised tensor, say) are a CheckpointError. */
export function floatDtype(dtype: string, where: string): FloatDtype {
  if (isFloat(dtype)) return dtype;
  return fail(
    `${where}: dtype ${dtype} cannot be averaged; ${FLOATS.join(', ')} can. Is it quantised? Convert the original instead`,
  );
}

/** Bytes of an element; a dtype whose elements are no whole bytes, or that nobody knows, is a CheckpointError. */
export function elementBytes(dtype: string, where: string): number {
  if (isDtype(dtype)) return DTYPE_BYTES[dtype];
  return fail(`${where}: dtype ${dtype} can only be copied whole: its heads cannot be told apart`);
}

/** Largest finite number of each type. */
export const LARGEST: Readonly<Record<FloatDtype, number>> = {
  F64: Number.MAX_VALUE,
  F32: 3.4028234663852886e38,
  F16: 65504,
  BF16: 3.3895313892515355e38,
  F8_E4M3: 448,
  F8_E5M2: 57344,
};

/** What a sum begins from: -0 is the number that leaves every other as it is, -0 included. */
export const NOTHING = -0;

type Bits = Uint8Array | Uint16Array | Float32Array | Float64Array;

const ARRAYS = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  F8_E4M3: Uint8Array,
  F8_E5M2: Uint8Array,
} as const;

/** Elements of a type over memory that begins on a multiple of their size. */
export class FloatView {
  readonly length: number;
  readonly #dtype: FloatDtype;
  readonly #bits: Bits;

  constructor(dtype: FloatDtype, bytes: Uint8Array) {
    const Elements = ARRAYS[dtype];
    this.#dtype = dtype;
    this.#bits = new Elements(
      bytes.buffer as ArrayBuffer,
      bytes.byteOffset,
      bytes.byteLength / Elements.BYTES_PER_ELEMENT,
    );
    this.length = this.#bits.length;
  }

  /** Elements begin .. begin + out.length as float64. */
  read(begin: number, out: Float64Array): void {
    out.fill(NOTHING);
    this.addTo(begin, out);
  }

  /** Adds elements begin .. begin + sums.length to float64 sums. */
  addTo(begin: number, sums: Float64Array): void {
    const bits = this.#bits.subarray(begin, begin + sums.length);
    if (this.#dtype === 'F32') addFloats(bits as Float32Array, sums);
    else if (this.#dtype === 'F64') addDoubles(bits as Float64Array, sums);
    else addTable(tableOf(this.#dtype), bits as Uint16Array | Uint8Array, sums);
  }

  /**
   * Stores float64 values from element `begin` on, each rounded once to the nearest, ties to even. What is past the
   * largest finite F16 or F8 is stored as that; F32 and BF16 have the range of what they are made from.
   */
  write(begin: number, values: Float64Array): void {
    const bits = this.#bits.subarray(begin, begin + values.length);
    if (this.#dtype === 'F32' || this.#dtype === 'F64') bits.set(values);
    else if (this.#dtype === 'BF16') writeBf16(bits as Uint16Array, values);
    else {
      const encode = ENCODERS[this.#dtype];
      for (let i = 0; i < values.length; i++) bits[i] = encode(values[i]!);
    }
  }
}

/** All elements of a floating-point tensor as float64; another dtype is a CheckpointError. */
export function allFloats(dtype: string, bytes: Uint8Array, where: string): Float64Array {
  const view = new FloatView(floatDtype(dtype, where), bytes);
  const values = new Float64Array(view.length);
  view.read(0, values);
  return values;
}

// Below: one function for each element type, so that each loop sees arrays of one kind alone.

// Four elements a turn: the loop itself would take as long as the sum.
function addFloats(values: Float32Array, sums: Float64Array): void {
  const whole = values.length - (values.length % 4);
  for (let i = 0; i < whole; i += 4) {
    sums[i]! += values[i]!;
    sums[i + 1]! += values[i + 1]!;
    sums[i + 2]! += values[i + 2]!;
    sums[i + 3]! += values[i + 3]!;
  }
  for (let i = whole; i < values.length; i++) sums[i]! += values[i]!;
}

function addDoubles(values: Float64Array, sums: Float64Array): void {
  for (let i = 0; i < values.length; i++) sums[i]! += values[i]!;
}

function addTable(table: Float32Array, bits: Uint16Array | Uint8Array, sums: Float64Array): void {
  const whole = bits.length - (bits.length % 4);
  for (let i = 0; i < whole; i += 4) {
    sums[i]! += table[bits[i]!]!;
    sums[i + 1]! += table[bits[i + 1]!]!;
    sums[i + 2]! += table[bits[i + 2]!]!;
    sums[i + 3]! += table[bits[i + 3]!]!;
  }
  for (let i = whole; i < bits.length; i++) sums[i]! += table[bits[i]!]!;
}

const RUN = 4096;
const words = new Uint32Array(RUN);
const singles = new Float32Array(words.buffer);

/** A bf16 is the upper half of an f32: rounded in runs that stay in the cache. */
function writeBf16(bits: Uint16Array, values: Float64Array): void {
  for (let begin = 0; begin < bits.length; begin += RUN) {
    const length = Math.min(RUN, bits.length - begin);
    singles.set(values.subarray(begin, begin + length));
    for (let i = 0; i < length; i++) {
      const word = words[i]!;
      // Half way between two bf16 but only since it became an f32, or not finite: rare, and left to the slower way.
      const doubtful = (word & 0xffff) === 0x8000 && singles[i] !== values[begin + i];
      const rounded = (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
      const notFinite = (rounded & 0x7f80) === 0x7f80 || (word & 0x7f800000) === 0x7f800000;
      bits[begin + i] = doubtful || notFinite ? bf16Bits(values[begin + i]!) : rounded;
    }
  }
}

/** Types of so few values that a table of them all is the quickest way to read. */
type TableDtype = 'BF16' | 'F16' | 'F8_E4M3' | 'F8_E5M2';

const VALUES: Readonly<Record<TableDtype, (bits: number) => number>> = {
  BF16: bf16Value,
  F16: f16Value,
  F8_E4M3: e4m3Value,
  F8_E5M2: (bits) => f16Value(bits << 8),
};

const tables: { [dtype in TableDtype]?: Float32Array } = {};

function tableOf(dtype: TableDtype): Float32Array {
  const length = dtype === 'BF16' || dtype === 'F16' ? 65536 : 256;
  tables[dtype] ??= Float32Array.from({ length }, (_, bits) => VALUES[dtype](bits));
  return tables[dtype];
}

/** The number of E4M3 bits: bias 7, no infinity, NaN where all but the sign is set. */
function e4m3Value(bits: number): number {
  const sign = bits & 0x80 ? -1 : 1;
  const exponent = (bits >>> 3) & 15;
  const fraction = bits & 7;
  if ((bits & 0x7f) === 0x7f) return NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -9 : (8 + fraction) * 2 ** (exponent - 10));
}

const ENCODERS: Readonly<Record<Exclude<TableDtype, 'BF16'>, (value: number) => number>> = {
  F16: f16Bits,
  F8_E4M3: (value) =>
    smallFloatBits(value, { mantissaBits: 3, minExponent: -6, max: LARGEST.F8_E4M3, nan: 0x7f }),
  F8_E5M2: (value) =>
    smallFloatBits(value, { mantissaBits: 2, minExponent: -14, max: LARGEST.F8_E5M2, nan: 0x7e }),
};

interface SmallFloat {
  readonly mantissaBits: number;
  /** Exponent of the smallest normal number. */
  readonly minExponent: number;
  readonly max: number;
  readonly nan: number;
}

function smallFloatBits(value: number, { mantissaBits, minExponent, max, nan }: SmallFloat): number {
  if (Number.isNaN(value)) return nan;
  const sign = value < 0 || Object.is(value, -0) ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(value), max);
  const exponent = Math.max(minExponent, magnitude === 0 ? minExponent : Math.floor(Math.log2(magnitude)));
  // In units of the last place, which are whole for every value that can be stored; a carry moves the exponent up.
  const units = roundToEven(magnitude / 2 ** (exponent - mantissaBits));
  return sign | ((exponent - minExponent) * 2 ** mantissaBits + units);
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
