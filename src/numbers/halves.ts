// halves.ts: IEEE binary16 and bfloat16 numbers as bits, on the host.

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/**
 * Nearest IEEE binary16 bits of a number, ties to even. Values past the largest finite half (65504) saturate
 * to it, as the append kernel does; NaN stays NaN and infinities stay infinite.
 */
export function f16Bits(value: number): number {
  f32[0] = value;
  const bits = u32[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // An f32 infinity may be a finite number too large for f32, which saturates like all others.
  if (magnitude >= 0x477fe000) return sign | (Number.isFinite(value) ? 0x7bff : 0x7c00);
  if (magnitude < 0x38800000) {
    // Subnormal half: the value in units of 2^-24, rounded to even.
    const units = Math.abs(value) * 16777216;
    const floor = Math.floor(units);
    const rest = units - floor;
    return sign | (floor + (rest > 0.5 || (rest === 0.5 && (floor & 1) === 1) ? 1 : 0));
  }
  const rounded = magnitude + 0xfff + tieBreak(value, (magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

/** The number that binary16 bits stand for. */
export function f16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Nearest bfloat16 bits of a number, ties to even; what would round to infinity saturates to the largest finite one. */
export function bf16Bits(value: number): number {
  f32[0] = value;
  const bits = u32[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x7f800000) {
    // An f32 infinity may be a finite number too large for f32, which saturates like all others.
    const infinite = !Number.isFinite(value);
    return magnitude > 0x7f800000 ? sign | 0x7fc0 : sign | (infinite ? 0x7f80 : 0x7f7f);
  }
  const rounded = magnitude + 0x7fff + tieBreak(value, (magnitude >>> 16) & 1);
  return sign | Math.min(0x7f7f, rounded >>> 16);
}

/** The number that bfloat16 bits stand for. */
export function bf16Value(bits: number): number {
  u32[0] = bits << 16;
  return f32[0]!;
}

/** The f32 values of many halves: one look-up per element in a table of all 65,536, made once. */
export function f16Values(bits: ArrayLike<number>): Float32Array<ArrayBuffer> {
  return looked(bits, (f16Table ??= tableOf(f16Value)));
}

/** The same of bfloat16. */
export function bf16Values(bits: ArrayLike<number>): Float32Array<ArrayBuffer> {
  return looked(bits, (bf16Table ??= tableOf(bf16Value)));
}

let f16Table: Float32Array | undefined;
let bf16Table: Float32Array | undefined;

function tableOf(toValue: (bits: number) => number): Float32Array {
  return Float32Array.from({ length: 65536 }, (_, bits) => toValue(bits));
}

function looked(bits: ArrayLike<number>, table: Float32Array): Float32Array<ArrayBuffer> {
  const out = new Float32Array(bits.length);
  for (let i = 0; i < out.length; i++) out[i] = table[bits[i]!]!;
  return out;
}

/** Ties go to even; an f32 that looks like a tie may have been rounded to it, and then the number itself decides. */
function tieBreak(value: number, odd: number): number {
  const beyond = Math.abs(value) - Math.abs(f32[0]!);
  return beyond > 0 ? 1 : beyond < 0 ? 0 : odd;
}
