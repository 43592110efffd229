// storedKv.ts: K and V as a cache holds them: rounded to its element type, heads padded, each in the order of the cache's elements.
import type { KvType, RowsLayout } from '../../numbers/elements.ts';
import { decodeRows, encodeRows } from '../../numbers/storedRows.ts';
import { paddedHeadDim } from '../decoder/headDims.ts';
import type { AttentionSpec } from '../decoder/spec.ts';

/**
 * Where a head's elements lie in a cache, [D]. Heads that are turned the other way round have their halves swapped there: to turn
 * (b, a) is to turn (a, b) back.
 */
export function placesOfK({ headDim, rope, turnsBack }: AttentionSpec): Int32Array {
  const half = (rope?.rotaryDim ?? headDim) / 2;
  return Int32Array.from({ length: headDim }, (_, d) =>
    !turnsBack || d >= 2 * half ? d : d < half ? d + half : d - half,
  );
}

/** The same of V, whose elements lie as they are. */
export function placesOfV({ headDim }: AttentionSpec): Int32Array {
  return Int32Array.from({ length: headDim }, (_, d) => d);
}

/** Rows of heads, [T, Hkv, D], rounded to an element type. f32 is left to the arithmetic. */
export function storedKv(type: KvType, values: Float64Array, places: Int32Array): Float64Array {
  if (type === 'f32') return values;
  const rows = values.length / places.length;
  const layout = { type, headDim: paddedHeadDim(places.length), heads: 1, capacity: rows };
  const padded = new Array<number>(rows * layout.headDim).fill(0);
  for (let i = 0; i < values.length; i++) {
    padded[Math.floor(i / places.length) * layout.headDim + places[i % places.length]!] = values[i]!;
  }
  return gathered(decodeRows(layout, encodeRows(layout, padded)), layout, rows, places);
}

/** What a cache of one sequence holds of its first `tokens`: [T, Hkv, D] in the model's own order. */
export function heldKv(
  bytes: ArrayBuffer,
  layout: RowsLayout,
  tokens: number,
  places: Int32Array,
): Float64Array {
  return gathered(decodeRows(layout, new Uint8Array(bytes)), layout, tokens, places);
}

function gathered(
  rows: Float32Array,
  { heads, capacity, headDim }: RowsLayout,
  tokens: number,
  places: Int32Array,
): Float64Array {
  const out = new Float64Array(tokens * heads * places.length);
  for (let i = 0; i < out.length; i++) {
    const [row, d] = [Math.floor(i / places.length), i % places.length];
    const [token, head] = [Math.floor(row / heads), row % heads];
    out[i] = rows[(head * capacity + token) * headDim + places[d]!]!;
  }
  return out;
}

/** Half a step of an element type at an element, at most; `largest` is the magnitude of its row's largest. */
export function halfStep(type: KvType, element: number, largest: number): number {
  if (type === 'f32') return 0;
  if (type === 'f16') return Math.max(Math.abs(element) * 2 ** -11, 2 ** -25);
  if (type === 'bf16') return Math.abs(element) * 2 ** -8;
  // Scales are bf16, up to one part in 128 above what they need be; int4's largest element may be 7 steps.
  return (largest / (type === 'int8' ? 127 : 7) / 2) * (1 + 2 ** -7);
}
