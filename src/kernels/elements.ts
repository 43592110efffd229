// elements.ts: the element types a KV cache stores, their size, and the host's conversions to and from their bits.

/** Element types of a KV cache. Arithmetic is f32 whatever the storage. */
export type KvType = 'f32' | 'f16';

export const KV_TYPES: readonly KvType[] = ['f32', 'f16'];

/** Bytes of one stored element. */
export const BYTES_PER_ELEMENT: Readonly<Record<KvType, number>> = { f32: 4, f16: 2 };

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
  if (magnitude >= 0x7f800000) return magnitude > 0x7f800000 ? sign | 0x7e00 : sign | 0x7c00;
  if (magnitude >= 0x477fe000) return sign | 0x7bff;
  if (magnitude < 0x38800000) {
    // Subnormal half: the value in units of 2^-24, rounded to even.
    const units = Math.abs(value) * 16777216;
    const floor = Math.floor(units);
    const rest = units - floor;
    return sign | (floor + (rest > 0.5 || (rest === 0.5 && (floor & 1) === 1) ? 1 : 0));
  }
  // Ties go to even; an f32 that looks like a tie may have been rounded to it, and then the number itself decides.
  const beyond = Math.abs(value) - Math.abs(f32[0]);
  const tie = beyond > 0 ? 1 : beyond < 0 ? 0 : (magnitude >>> 13) & 1;
  const rounded = magnitude + 0xfff + tie;
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

let f16Table: Float32Array | undefined;

/** All 65,536 halves as f32, made once: decoding a cache is then one look-up per element. */
function halves(): Float32Array {
  f16Table ??= Float32Array.from({ length: 65536 }, (_, bits) => f16Value(bits));
  return f16Table;
}

/** Stored bytes of `values` as a cache of type `type` holds them. */
export function encodeElements(
  type: KvType,
  values: ArrayLike<number>,
): Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  if (type === 'f32') return Float32Array.from(values);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = f16Bits(values[i]!);
  return out;
}

/** The f32 values that stored bytes stand for; the inverse of `encodeElements` but for rounding. */
export function decodeElements(type: KvType, stored: ArrayBufferView): Float32Array<ArrayBuffer> {
  if (type === 'f32') {
    return new Float32Array(stored.buffer, stored.byteOffset, stored.byteLength / 4).slice();
  }
  const bits = new Uint16Array(stored.buffer, stored.byteOffset, stored.byteLength / 2);
  const table = halves();
  const out = new Float32Array(bits.length);
  for (let i = 0; i < out.length; i++) out[i] = table[bits[i]!]!;
  return out;
}
