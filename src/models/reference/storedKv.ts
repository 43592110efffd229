// storedKv.ts: K and V as a cache holds them: rounded to its element type, heads padded, each in the order of the cache's elements.
import type { KvType, RowsLayout } from '../../numbers/elements.ts';
import { largest, worstError } from '../../reference/verify.ts';
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
  const padded = Array.from({ length: rows * layout.headDim }, () => 0);
  for (let i = 0; i < values.length; i++) {
    padded[Math.floor(i / places.length) * layout.headDim + places[i % places.length]!] = values[i]!;
  }
  return gathered(decodeRows(layout, encodeRows(layout, padded)), layout, rows, places);
}

/** What a cache of one sequence holds of its first `tokens`: [T, Hkv, D] in the model's own order. `layout`: of all rows, in segments of so many heads. */
export function heldKv(
  segments: readonly ArrayBuffer[],
  { segmentHeads, ...layout }: RowsLayout & { readonly segmentHeads: number },
  tokens: number,
  places: Int32Array,
): Float64Array {
  const size = segmentHeads * layout.capacity * layout.headDim;
  const rows = new Float32Array(segments.length * size);
  for (const [i, bytes] of segments.entries()) {
    rows.set(decodeRows({ ...layout, heads: segmentHeads }, new Uint8Array(bytes)), i * size);
  }
  return gathered(rows, layout, tokens, places);
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

/**
 * How far unrounded rows, [T, Hkv, D], must have been from the exact ones to be stored as they are: the worst of all elements, at
 * least. `may`: how far they may; within it, a scale may become the next one.
 */
export function errorBehindStored(
  type: KvType,
  held: Float64Array,
  exact: Float64Array,
  places: Int32Array,
  may: number,
): number {
  if (type === 'f32') return worstError(held, exact).error;
  const moved = MOVES.map((move) => storedKv(type, movedBy(exact, places.length, may, move), places));
  let worst = 0;
  for (const [i, x] of exact.entries()) {
    // What is stored is no farther from the unrounded element than what the exact one would be stored as.
    const own = moved.reduce((most, rows) => Math.max(most, Math.abs(rows[i]! - x)), 0);
    const error = (Math.abs(held[i]! - x) - own) / 2;
    worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
  }
  return worst;
}

/** Ways in which the ends of a row may be off, which are what scales depend on: those above zero, and those below. */
const MOVES: readonly (readonly [above: number, below: number])[] = [
  [1, 1],
  [1, -1],
  [-1, 1],
  [-1, -1],
];

function movedBy(
  exact: Float64Array,
  headDim: number,
  may: number,
  [above, below]: readonly [number, number],
): Float64Array {
  const out = new Float64Array(exact.length);
  for (let at = 0; at < exact.length; at += headDim) {
    const most = largest(exact.subarray(at, at + headDim));
    const share = most > 0 ? may / most : 0;
    for (let i = at; i < at + headDim; i++)
      out[i] = exact[i]! * (1 + share * (exact[i]! > 0 ? above : below));
  }
  return out;
}
