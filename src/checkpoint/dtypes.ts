// dtypes.ts: stored floating-point elements to float64 and back, for F64, F32, F16, BF16 and the two 8-bit floats.
import { f16Bits, f16Value } from '../kernels/elements.ts';
import { fail } from './checkpointError.ts';
import type { SafetensorsDtype } from './safetensors.ts';

/** Element types that can be averaged: the floating-point ones. */
export type FloatDtype = 'F64' | 'F32' | 'F16' | 'BF16' | 'F8_E4M3' | 'F8_E5M2';

const FLOATS: readonly string[] = ['F64', 'F32', 'F16', 'BF16', 'F8_E4M3', 'F8_E5M2'];

export function isFloat(dtype: SafetensorsDtype): dtype is FloatDtype {
  return FLOATS.includes(dtype);
}

/** The dtype, if it is a floating-point one; integers (of a quantised tensor, say) are a CheckpointError. */
export function floatDtype(dtype: SafetensorsDtype, where: string): FloatDtype {
  if (isFloat(dtype)) return dtype;
  return fail(
    `${where}: dtype ${dtype} cannot be averaged; ${FLOATS.join(', ')} can. Is it quantised? Convert the original instead`,
  );
}

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
    const bits = this.#bits.subarray(begin, begin + out.length);
    if (this.#dtype === 'F32' || this.#dtype === 'F64') out.set(bits);
    else if (this.#dtype === 'BF16') readBf16(bits as Uint16Array, out);
    else readTable(tableOf(this.#dtype), bits as Uint16Array | Uint8Array, out);
  }

  /**
   * Stores float64 values from element `begin` on, each rounded once to the nearest, ties to even. What is past the
   * largest finite F16 or F8 is stored as that; F32 and BF16 have the range of what they are made from.
   */
  write(begin: number, values: Float64Array): void {
    const bits = this.#bits.subarray(begin, begin + values.length);
    if (this.#dtype === 'F32' || this.#dtype === 'F64') {
      bits.set(values);
      return;
    }
    const encode = ENCODERS[this.#dtype];
    for (let i = 0; i < values.length; i++) bits[i] = encode(values[i]!);
  }
}

const word = new Uint32Array(1);
const single = new Float32Array(word.buffer);

const RUN = 4096;
const words = new Uint32Array(RUN);
const singles = new Float32Array(words.buffer);

/** A bf16 is the upper half of an f32: shifted in runs, so that both loops stay tight. */
function readBf16(bits: Uint16Array, out: Float64Array): void {
  for (let begin = 0; begin < bits.length; begin += RUN) {
    const length = Math.min(RUN, bits.length - begin);
    for (let i = 0; i < length; i++) words[i] = bits[begin + i]! << 16;
    for (let i = 0; i < length; i++) out[begin + i] = singles[i]!;
  }
}

function readTable(table: Float64Array, bits: Uint16Array | Uint8Array, out: Float64Array): void {
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]!]!;
}

type TableDtype = 'F16' | 'F8_E4M3' | 'F8_E5M2';

const tables: { [dtype in TableDtype]?: Float64Array } = {};

function tableOf(dtype: TableDtype): Float64Array {
  tables[dtype] ??= Float64Array.from({ length: dtype === 'F16' ? 65536 : 256 }, (_, bits) =>
    dtype === 'F16' ? f16Value(bits) : dtype === 'F8_E4M3' ? e4m3Value(bits) : f16Value(bits << 8),
  );
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

const ENCODERS: Readonly<Record<TableDtype | 'BF16', (value: number) => number>> = {
  BF16: bf16Bits,
  F16: f16Bits,
  F8_E4M3: (value) => smallFloatBits(value, { mantissaBits: 3, minExponent: -6, max: 448, nan: 0x7f }),
  F8_E5M2: (value) => smallFloatBits(value, { mantissaBits: 2, minExponent: -14, max: 57344, nan: 0x7e }),
};

function bf16Bits(value: number): number {
  single[0] = value;
  const bits = word[0]!;
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  // Ties go to even; an f32 that looks like a tie may have been rounded to it, and then the number itself decides.
  const beyond = Math.abs(value) - Math.abs(single[0]);
  const tie = beyond > 0 ? 1 : beyond < 0 ? 0 : (bits >>> 16) & 1;
  return ((bits + 0x7fff + tie) >>> 16) & 0xffff;
}

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
